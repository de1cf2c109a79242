/* test_fuzz_flat_codec.c - the fuzz target over its corpus and seeded mutations of it. */
#include "phase5_protocol/c/fuzz_flat_codec.c"
#define FUZZ_CORPUS "phase5_protocol/corpus/flat_codec"
#include "phase5_protocol/c/fuzz_main.h"
