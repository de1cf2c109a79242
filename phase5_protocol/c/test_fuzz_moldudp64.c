/* test_fuzz_moldudp64.c - that target over its corpus and seeded mutations; see fuzz_main.h. */
#include "phase5_protocol/c/fuzz_moldudp64.c"
#define FUZZ_CORPUS "phase5_protocol/corpus/moldudp64"
#include "phase5_protocol/c/fuzz_main.h"
