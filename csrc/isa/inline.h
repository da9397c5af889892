// Forced inlining: a call that survives would be a symbol of one instruction set that another target could be linked
// to.
#pragma once

#define INLINE [[gnu::always_inline]] inline

// The same for a lambda, between its parameters and its body. Without it GCC may keep a register tile in memory so that
// the body can be a function.
#define INLINE_LAMBDA __attribute__((always_inline))

// A function that is compiled once: neither into its callers nor for the constants of each of them.
#ifdef __clang__
#define APART [[gnu::noinline]]
#else
#define APART [[gnu::noinline, gnu::noclone]]
#endif

// Before a loop that compilers would unroll, and keep in memory what is needed after it; one of a few rounds that
// they would not unroll; or the one in which a tile sums, by the number that its level names.
#ifdef __clang__
#define NOT_UNROLLED _Pragma("clang loop unroll(disable)")
#define UNROLLED _Pragma("clang loop unroll(full)")
#define UNROLLED_STEPS _Pragma("clang loop unroll_count(kStepsAtOnce)")
#else
#define NOT_UNROLLED _Pragma("GCC unroll 1")
#define UNROLLED _Pragma("GCC unroll 16")
#define UNROLLED_STEPS _Pragma("GCC unroll kStepsAtOnce")
#endif
