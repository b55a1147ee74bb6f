/* ferry_tenant_test.c - the cases of live_tenant_test.c behind a mailbox. */
#include "ferry_rig.h"

#include "live_tenant_test.c"
