/* ferry_wait_test.c - the cases of live_wait_test.c behind a mailbox. */
#include "ferry_rig.h"

#include "live_wait_test.c"
