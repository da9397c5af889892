// The registers of AMX: eight tiles of up to 16 rows of 64 bytes. One instruction multiplies two of them and adds to a
// third. tests/core/emulated has a header of the same name for processors without them.
#pragma once

#include <cstdint>

#include "isa/inline.h"

namespace polysemy {
namespace {

// The compilers' intrinsics don't say that a tile is read from memory, so stores before one may move behind it.
struct TileRegisters {
  // The tiles of a product for its lifetime: 0 to 3 sums and 4, 5 inputs, of so many rows; 6, 7 weights.
  class Configured {
   public:
    INLINE explicit Configured(int rows) {
      struct alignas(64) {
        uint8_t palette = 1, start = 0, reserved[14] = {};
        uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
        uint8_t rows[16] = {};
      } layout;
      for (int i = 0; i < 8; ++i) layout.rows[i] = static_cast<uint8_t>(i < 6 ? rows : 16);
      __asm__ volatile("ldtilecfg %0" ::"m"(layout) : "memory");
    }
    INLINE ~Configured() { __asm__ volatile("tilerelease" ::: "memory"); }
    Configured(const Configured&) = delete;
    Configured& operator=(const Configured&) = delete;
  };

  template <int tile>
  INLINE static void zero() {
    __asm__ volatile("tilezero %%tmm%c0" ::"i"(tile));
  }
  // Rows lie `stride` bytes apart.
  template <int tile>
  INLINE static void load(const void* p, int64_t stride) {
    __asm__ volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(tile), "r"(p), "r"(stride) : "memory");
  }
  template <int tile>
  INLINE static void store(void* p, int64_t stride) {
    __asm__ volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(tile), "r"(p), "r"(stride) : "memory");
  }
  // sums += a b: four unsigned bytes of a by four signed ones of b.
  template <int sums, int a, int b>
  INLINE static void add_byte_products() {
    __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(a), "i"(b));
  }
  // The same for two numbers of bfloat16: chains of the even and of the odd numbers, from zero; then their sum.
  template <int sums, int a, int b>
  INLINE static void add_bfloat16_products() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(a), "i"(b));
  }
};

}  // namespace
}  // namespace polysemy
