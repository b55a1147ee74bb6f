/* ferry_builtins_test.c - the cases of live_builtins_test.c behind a mailbox. */
#include "ferry_rig.h"

#include "live_builtins_test.c"
