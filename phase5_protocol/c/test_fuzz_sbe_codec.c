/* test_fuzz_sbe_codec.c - the fuzz target over its corpus and seeded mutations of it. */
#include "phase5_protocol/c/fuzz_sbe_codec.c"
#define FUZZ_CORPUS "phase5_protocol/corpus/sbe_codec"
#include "phase5_protocol/c/fuzz_main.h"
