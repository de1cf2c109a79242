/* test_fuzz_canary.c - without its fault the canary keeps still, over its corpus and mutations. */
#include "phase5_protocol/c/fuzz_canary.c"
#define FUZZ_CORPUS "phase5_protocol/corpus/canary"
#include "phase5_protocol/c/fuzz_main.h"
