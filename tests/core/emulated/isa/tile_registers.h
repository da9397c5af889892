// In the place of csrc/isa/tile_registers.h: the registers in memory, so that products by tiles can be tested on
// processors without them. The arithmetic of tdpbf16ps is what a Xeon of the fifth generation computed: 102,400
// results of random tiles, subnormal numbers among them, had the same bits.
#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstdint>
#include <cstring>

namespace polysemy {
namespace {

struct TileRegisters {
  struct Tile {
    unsigned char row[16][64];
  };
  struct State {
    Tile tile[8];
    int rows;  // 0: not configured, as an instruction would fault
  };
  static State& state() {
    static thread_local State s{};
    return s;
  }
  static int rows(int tile) { return tile < 6 ? state().rows : 16; }

  class Configured {
   public:
    explicit Configured(int rows) {
      std::memset(&state(), 0, sizeof(State));
      state().rows = rows;
    }
    ~Configured() { state().rows = 0; }
    Configured(const Configured&) = delete;
    Configured& operator=(const Configured&) = delete;
  };

  template <int tile>
  static void zero() {
    std::memset(&state().tile[tile], 0, sizeof(Tile));
  }
  template <int tile>
  static void load(const void* p, int64_t stride) {
    for (int i = 0; i < rows(tile); ++i) {
      std::memcpy(state().tile[tile].row[i], static_cast<const char*>(p) + i * stride, 64);
    }
  }
  template <int tile>
  static void store(void* p, int64_t stride) {
    for (int i = 0; i < rows(tile); ++i) {
      std::memcpy(static_cast<char*>(p) + i * stride, state().tile[tile].row[i], 64);
    }
  }

  template <class Element>
  static Element element(const Tile& tile, int row, int i) {
    Element e;
    std::memcpy(&e, tile.row[row] + static_cast<unsigned>(i) * sizeof e, sizeof e);
    return e;
  }
  template <class Element>
  static void set(Tile& tile, int row, int i, Element e) {
    std::memcpy(tile.row[row] + static_cast<unsigned>(i) * sizeof e, &e, sizeof e);
  }

  template <int sums, int a, int b>
  static void add_byte_products() {
    Tile* const t = state().tile;
    for (int m = 0; m < rows(sums); ++m) {
      for (int n = 0; n < 16; ++n) {
        int32_t sum = element<int32_t>(t[sums], m, n);
        for (int k = 0; k < 64; ++k) {
          sum += int32_t{element<uint8_t>(t[a], m, k)} * element<int8_t>(t[b], k / 4, 4 * n + k % 4);
        }
        set(t[sums], m, n, sum);
      }
    }
  }

  static float widened(const Tile& tile, int row, int i) {
    const uint32_t word = uint32_t{element<uint16_t>(tile, row, i)} << 16;
    float value;
    std::memcpy(&value, &word, sizeof value);
    return value;
  }
  template <int sums, int a, int b>
  static void add_bfloat16_products() {
    const unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040u);  // subnormal numbers are zeros
    Tile* const t = state().tile;
    for (int m = 0; m < rows(sums); ++m) {
      for (int n = 0; n < 16; ++n) {
        __m128 chain[2] = {_mm_setzero_ps(), _mm_setzero_ps()};
        for (int k = 0; k < 32; ++k) {
          const __m128 x = _mm_set_ss(widened(t[a], m, k)), w = _mm_set_ss(widened(t[b], k / 2, 2 * n + k % 2));
          chain[k % 2] = _mm_fmadd_ss(x, w, chain[k % 2]);
        }
        const __m128 sum = _mm_set_ss(element<float>(t[sums], m, n));
        set(t[sums], m, n, _mm_cvtss_f32(_mm_add_ss(sum, _mm_add_ss(chain[0], chain[1]))));
      }
    }
    _mm_setcsr(mode);
  }
};

}  // namespace
}  // namespace polysemy
