/* test_fuzz_mold_receiver.c - that target over its corpus and seeded mutations; see fuzz_main.h. */
#include "phase5_protocol/c/fuzz_mold_receiver.c"
#define FUZZ_CORPUS "phase5_protocol/corpus/mold_receiver"
#include "phase5_protocol/c/fuzz_main.h"
