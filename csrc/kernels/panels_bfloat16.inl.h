// Products in bfloat16: weights and activations rounded to nearest even, two of their products added to a float32 sum
// one after the other, the odd one of the pair first. Subnormal numbers are zeros, before and after: that is what
// vdpbf16ps does, and two fused multiply-adds of the widened numbers give the same bits.
//
// Of each kBFloat16Step inputs the first half is one chain from zero and the second half another one; their sum is
// added to that of the block. That is how tdpbf16ps adds, if the two chains are its even and its odd numbers.
#pragma once

#include "kernels/pack.inl.h"
#include "kernels/tile.inl.h"

namespace polysemy {
namespace {

// The nearest bfloat16 in the upper half of each lane.
INLINE IVec rounded_to_bfloat16(Vec v) {
  const IVec u = bits(v), sign = u & iset1(INT32_MIN);
  const Vec magnitude = from_bits(u & iset1(INT32_MAX));
  const IVec upper = iset1(static_cast<int32_t>(0xFFFF0000u));
  const IVec even = shift_right<16>(u) & iset1(1);
  const IVec nearest = (u + iset1(0x7FFF) + even) & upper;
  const IVec nan = (u & upper) | iset1(0x00400000);
  const Vec number = select(equal(v, v), from_bits(nearest), from_bits(nan));
  return bits(select(less(magnitude, set1(0x1p-126f)), from_bits(sign), number));
}

// The pair of 16 bits in each lane as two numbers.
INLINE Vec even_of(IVec pairs) { return from_bits(shift_left<16>(pairs)); }
INLINE Vec odd_of(IVec pairs) { return from_bits(pairs & iset1(static_cast<int32_t>(0xFFFF0000u))); }

constexpr int64_t kHalf = kBFloat16Step / 2;

// tile += the sums of both chains, step by step. chains(i, first, second) adds to them from the i-th input on.
template <int rows, int panels, class Chains>
INLINE void add_chains(Tile<rows, panels>& tile, int64_t k, Chains chains) {
  for (int64_t i = 0; i < k; i += kBFloat16Step) {
    Tile<rows, panels> first, second;
    each_sum(first, [](Vec& sum, auto, auto) INLINE_LAMBDA { sum = zero(); });
    each_sum(second, [](Vec& sum, auto, auto) INLINE_LAMBDA { sum = zero(); });
    chains(i, first, second);
    each_sum(tile, [&](Vec& sum, auto r, auto p) INLINE_LAMBDA { sum = sum + (first.sum[r][p] + second.sum[r][p]); });
  }
}

// A block that was widened: [k][16] floats, the odd one of each pair first, as the activations are.
struct WideBFloat16 {
  using Word = float;
  using Input = float;
  static constexpr Precision kPrecision = Precision::kBFloat16;
  static constexpr int64_t kBlockBytes = panel_bytes(Precision::kFloat32, kBlockK);
  // Both chains at once: one after the other, the sums of the first would wait in memory.
  struct Tiles {
    static constexpr int kRows = kTileRows / 2;
  };

  static constexpr int64_t input_at(int64_t k) { return k; }

  template <int fetched, int rows, int panels>
  INLINE static void accumulate(Tile<rows, panels>& tile, const Input* a, int64_t a_stride, const Word* b,
                                int64_t panel_stride, int64_t k, int64_t /*ahead*/) {
    add_chains(tile, k, [&](int64_t i, auto& first, auto& second) INLINE_LAMBDA {
      const auto add = [&](auto& sums, int64_t j) INLINE_LAMBDA {
        Vec w[panels];
        unroll<panels>([&](auto p) INLINE_LAMBDA { w[p] = load(b + p * panel_stride + j * kLanes); });
        each_sum(sums,
                 [&](Vec& sum, auto r, auto p) INLINE_LAMBDA { sum = fma(set1(a[r * a_stride + j]), w[p], sum); });
      };
      UNROLLED_STEPS for (int64_t j = i; j < i + kHalf; ++j) add(first, j), add(second, j + kHalf);
    });
  }
};

// For levels without an instruction for it: activations stay float32, rounded, the odd one of each pair first.
struct WidenedPairs {
  using Input = float;
  using Wide = WideBFloat16;
  using Tiles = WideningTiles;
  static constexpr bool kBothChains = false;  // at once: there are registers for the sums of both
  static constexpr const char* kInstruction = kMultiplyAdd;

  struct Pair {
    Vec even, odd;
  };
  INLINE static Pair load_pair(const float* p) {
    const IVec pairs = bits(load(p));
    return {even_of(pairs), odd_of(pairs)};
  }
  INLINE static Vec add_products(Vec sum, const Input* a, Pair w) {
    return fma(set1(a[1]), w.even, fma(set1(a[0]), w.odd, sum));
  }
  INLINE static void prepare(Vec x, Input* to) { store(to, swap_lanes<1>(from_bits(rounded_to_bfloat16(x)))); }
};

template <class Pairs>
struct BFloat16Panels {
  using Word = float;  // a pair
  using Input = typename Pairs::Input;
  static constexpr Precision kPrecision = Precision::kBFloat16;
  static constexpr const char* kInstruction = Pairs::kInstruction;
  static constexpr bool kPrepares = true;
  static constexpr int64_t kBlock = kBlockK;
  using Mode = FlushSubnormals;
  using Wide = typename Pairs::Wide;
  using Tiles = typename Pairs::Tiles;

  static constexpr int64_t input_at(int64_t k) { return k; }
  static constexpr int64_t input_bytes(int64_t k) {
    return round_up(k, kBFloat16Step) * static_cast<int64_t>(sizeof(Input));
  }

  template <int fetched, int rows, int panels>
  INLINE static void accumulate(Tile<rows, panels>& tile, const Input* a, int64_t a_stride, const Word* b,
                                int64_t panel_stride, int64_t k, int64_t ahead) {
    const auto add = [&](int64_t i, auto& sums) INLINE_LAMBDA {
      step<fetched>(sums, a + i, a_stride, b + i / 2 * kLanes, panel_stride, ahead);
    };
    add_chains(tile, k, [&](int64_t i, auto& first, auto& second) INLINE_LAMBDA {
      // One or two rows alone wait for weights, which come faster in order.
      constexpr bool many = rows > 2 || fetched == 1;
      if constexpr (Pairs::kBothChains && many) {
        UNROLLED for (int64_t j = i; j < i + kHalf; j += 2) add(j, first), add(j + kHalf, second);
      } else {
        NOT_UNROLLED for (int64_t j = i; j < i + kHalf; j += 2) add(j, first);
        NOT_UNROLLED for (int64_t j = i + kHalf; j < i + kBFloat16Step; j += 2) add(j, second);
      }
    });
  }

  // t += the products of one pair of inputs.
  template <int fetched, int rows, int panels>
  INLINE static void step(Tile<rows, panels>& t, const Input* a, int64_t a_stride, const Word* b, int64_t panel_stride,
                          int64_t ahead) {
    decltype(Pairs::load_pair(b)) w[panels];
    unroll<panels>([&](auto p) INLINE_LAMBDA {
      w[p] = Pairs::load_pair(b + p * panel_stride);
      if constexpr (p < fetched) prefetch_l2(b + p * panel_stride + ahead);
    });
    each_sum(t,
             [&](Vec& sum, auto r, auto p) INLINE_LAMBDA { sum = Pairs::add_products(sum, a + r * a_stride, w[p]); });
  }

  INLINE static void widen_block(const Word* b, int64_t k, int64_t ahead, float* to) {
    for (int64_t i = 0; i < round_up(k, kBFloat16Step); i += 2) {
      const auto pair = Pairs::load_pair(b + i / 2 * kLanes);
      store(to + i * kLanes, pair.odd);
      store(to + (i + 1) * kLanes, pair.even);
      prefetch_l2(b + i / 2 * kLanes + ahead);
    }
  }

  static void prepare(const PrepareTask& t) noexcept {
    for (int64_t r = 0; r < t.rows; ++r) {
      const float* x = t.x + r * t.x_stride;
      auto* const to = reinterpret_cast<Input*>(t.out + r * t.out_stride);
      for (int64_t i = 0; i < round_up(t.k, kBFloat16Step); i += kLanes) Pairs::prepare(load_n(x + i, t.k - i), to + i);
    }
  }

  static void pack(const PackTask& t) noexcept {
    each_panel_block<kPrecision>(t, [&](const float* rows, int64_t count, int64_t length, void* to) INLINE_LAMBDA {
      auto* const pairs = static_cast<uint32_t*>(to);
      for (int64_t r = 0; r < kLanes; ++r) {
        for (int64_t i = 0; i < round_up(length, kBFloat16Step); i += kLanes) {
          uint32_t word[kLanes] = {};
          if (r < count) {
            store(reinterpret_cast<float*>(word),
                  from_bits(rounded_to_bfloat16(load_n(rows + r * kBlockK + i, length - i))));
          }
          for (int64_t j = 0; j < kLanes; j += 2) {
            pairs[(i + j) / 2 * kLanes + r] = word[j] >> 16 | word[j + 1];
          }
        }
      }
    });
  }
};

}  // namespace
}  // namespace polysemy
