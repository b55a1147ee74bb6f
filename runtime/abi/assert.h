/* assert.h - compile-time checks that read the same in C11 and C++11. */
#ifndef VYRE_ABI_ASSERT_H
#define VYRE_ABI_ASSERT_H
#ifdef __cplusplus
#define VYRE_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define VYRE_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif
#endif
