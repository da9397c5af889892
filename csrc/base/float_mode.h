// The floating-point mode that kernels run in: IEEE defaults, whatever the caller has set. Otherwise a process that
// flushes denormals, or rounds another way, would get other bits for the same text.
#pragma once

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace polysemy {

// Sets the mode of the calling thread for its own lifetime; the caller's mode, flags included, comes back after it.
class FloatMode {
 public:
  FloatMode() : saved_(get()) { set(kDefault); }
  ~FloatMode() { set(saved_); }
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

 private:
#if defined(__x86_64__) || defined(_M_X64)
  using Word = unsigned;
  static constexpr Word kDefault = 0x1F80;  // MXCSR: all exceptions masked, round to nearest, no FTZ, no DAZ
  static Word get() { return _mm_getcsr(); }
  static void set(Word mode) { _mm_setcsr(mode); }
#elif defined(__aarch64__)
  using Word = uint64_t;
  static constexpr Word kDefault = 0;  // FPCR
  static Word get() {
    Word mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
  }
  static void set(Word mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode) : "memory"); }
#else
  using Word = int;
  static constexpr Word kDefault = 0;
  static Word get() { return 0; }
  static void set(Word) {}
#endif

  Word saved_;
};

}  // namespace polysemy
