/* test_engine.c - this phase's book under the tests that every book has to pass. */
#include "contract/c/engine_test.c"

int main(void)
{
    engine_test_all();
    return 0;
}
