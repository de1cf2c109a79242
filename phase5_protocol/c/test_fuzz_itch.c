/* test_fuzz_itch.c - the ITCH decoder over its corpus and seeded mutations. */
#include "phase5_protocol/c/fuzz_itch.c"
#define FUZZ_CORPUS "phase5_protocol/corpus/itch"
#include "phase5_protocol/c/fuzz_main.h"
