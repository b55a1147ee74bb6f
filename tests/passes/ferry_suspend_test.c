/* ferry_suspend_test.c - the cases of live_suspend_test.c behind a mailbox. */
#include "ferry_rig.h"

#include "live_suspend_test.c"
