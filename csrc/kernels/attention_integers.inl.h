// Products of attention in integers, whose sums are exact. Queries and keys are rows as in int16, in blocks of kBlockK
// features. Probabilities, which are 0 to 1 before they are divided by their sum, are multiples of 2^-14. Values have
// a scale per feature and block of keys, and so many bits that a sum over kValueKeys keys fits into 32:
//   out += (float(sum) + float(sum) + ...) * (value scale / 16384)
#pragma once

#include "kernels/attention.inl.h"
#include "kernels/panels_int16.inl.h"
#include "kernels/table.h"

namespace polysemy {
namespace {

constexpr int kProbabilityOne = 16384;
constexpr float kProbabilityRounding = 0x1.8p23f / kProbabilityOne;  // its last bit is worth 1 / kProbabilityOne
constexpr int kValueMost = 2047;
constexpr int64_t kValueKeys = 64;
static_assert(kValueKeys * kProbabilityOne * kValueMost <= INT32_MAX);

// Rows of a panel as integers with a scale per lane, two rows to a word, in place. Gives the scales.
template <int most>
INLINE Vec pack_integers(const float* rows, int64_t n, float* words) {
  Vec largest = zero(), poison = zero();
  for (int64_t i = 0; i < n; ++i) {
    const Vec v = load(rows + i * kLanes);
    largest = max(from_bits(bits(v) & iset1(INT32_MAX)), largest);
    poison = fma(v, zero(), poison);
  }
  const Vec scale = largest * set1(1.0f / most);
  const Mask tiny = less(scale, set1(kLeastScale));
  const Vec inverse = select(tiny, zero(), set1(1.0f) / scale);
  const auto integers = [&](int64_t i) INLINE_LAMBDA {
    return i < n ? to_nearest(max(min(load(rows + i * kLanes) * inverse, set1(most)), set1(-most))) : iset1(0);
  };
  for (int64_t i = 0; i < n; i += 2) {
    const IVec even = integers(i), odd = integers(i + 1);
    store(words + i / 2 * kLanes, from_bits((even & iset1(0xFFFF)) | shift_left<16>(odd)));
  }
  return select(tiny, zero(), scale) + poison;
}

template <class Pairs>
struct IntegerScores {
  using Input = char;
  using Word = int16_t;
  static constexpr bool kFloats = false;

  // From a block of a row, or of a panel (in floats), to the next. The last one ends after its elements.
  static constexpr int64_t kRowBlock = sizeof(Int16Block);
  static constexpr int64_t kPanelBlock = (kBlockK / 2 + 1) * kLanes;

  static constexpr int64_t row_stride(int64_t dim) {
    constexpr int64_t size = sizeof(Word);
    return (dim + kBlockK - 1) / kBlockK * Int16Scales::kHeader + round_up(dim, kLanes) * size;
  }
  // Room for the floats of which they are made.
  static constexpr int64_t panel_stride(int64_t dim) { return round_up(dim, 2) * kLanes; }

  template <class F>
  INLINE static void each_block(int64_t dim, F f) {
    for (int64_t block = 0; block * kBlockK < dim; ++block) {
      const int64_t rest = dim - block * kBlockK;
      f(block, rest < kBlockK ? rest : kBlockK);
    }
  }

  INLINE static void prepare(const float* from, int64_t dim, float power, Input* to) {
    each_block(dim, [&](int64_t block, int64_t n) INLINE_LAMBDA {
      auto* const row = reinterpret_cast<Int16Block*>(to) + block;
      row->scale = power * to_int16(from + block * kBlockK, n, [&](int64_t i, IVec integers) INLINE_LAMBDA {
                     Pairs::store_elements(row->element + i, integers);
                   });
    });
  }

  INLINE static void pack(float* panel, int64_t dim) {
    each_block(dim, [&](int64_t block, int64_t n) INLINE_LAMBDA {
      float* const words = panel + block * kPanelBlock;
      const Vec scale = pack_integers<kInt16Most>(panel + block * kBlockK * kLanes, n, words);
      store(words + (n + 1) / 2 * kLanes, scale);
    });
  }

  template <int rows, int panels>
  INLINE static void multiply(Tile<rows, panels>& tile, const Input* query, const float* keys, int64_t dim) {
    each_block(dim, [&](int64_t block, int64_t n) INLINE_LAMBDA {
      Tile<rows, panels> part;
      accumulate_group<Int16Scales, Pairs, 0>(part, query + block * kRowBlock, row_stride(dim),
                                              reinterpret_cast<const Word*>(keys + block * kPanelBlock),
                                              2 * panel_stride(dim), n, 0);
      each_sum(tile, [&](Vec& sum, auto r, auto p)
                         INLINE_LAMBDA { sum = block == 0 ? part.sum[r][p] : sum + part.sum[r][p]; });
    });
  }
};

template <class Pairs>
struct IntegerValues {
  using Input = int16_t;
  using Mode = SameMode;

  // Behind the words, which take half of the room.
  static constexpr int64_t scale_at(int64_t room) { return room / 2 * kLanes; }

  INLINE static void prepare(Vec p, Input* to) {
    const Vec rounding = set1(kProbabilityRounding);
    Pairs::store_elements(to, bits(p + rounding) - bits(rounding));
  }

  INLINE static void pack(float* panel, int64_t keys, int64_t room) {
    const Vec scale = pack_integers<kValueMost>(panel, keys, panel);
    store(panel + scale_at(room), scale * set1(1.0f / kProbabilityOne));
  }

  // tile += P V over `keys` keys from the panel's `first`, an even one, on
  template <int rows, int panels>
  INLINE static void add(Tile<rows, panels>& tile, const Input* p, int64_t p_stride, const float* values, int64_t room,
                         int64_t first, int64_t keys) {
    Tile<rows, panels> total;
    each_sum(total, [](Vec& sum, auto, auto) INLINE_LAMBDA { sum = zero(); });
    for (int64_t i = 0; i < keys; i += kValueKeys) {
      const int64_t n = keys - i < kValueKeys ? keys - i : kValueKeys;
      const auto* const words = reinterpret_cast<const typename Pairs::Word*>(values + (first + i) / 2 * kLanes);
      using Sum = typename Pairs::Sum;
      Tile<rows, panels, Sum> integers;
      each_sum(integers, [](Sum& sum, auto, auto) INLINE_LAMBDA { sum = Pairs::zero(); });
      for (int64_t k = 0; k < n; k += 2) {
        typename Pairs::Words w[panels];
        unroll<panels>([&](auto q)
                           INLINE_LAMBDA { w[q] = Pairs::load_weights(words + 2 * q * room * kLanes + k * kLanes); });
        // Not by each_sum: with vpdpwssd GCC then keeps sums in memory.
        unroll<rows>([&](auto r) INLINE_LAMBDA {
          const auto x = Pairs::load_input(reinterpret_cast<const char*>(p + r * p_stride + i + k));
          unroll<panels>([&](auto q)
                             INLINE_LAMBDA { integers.sum[r][q] = Pairs::add_products(integers.sum[r][q], x, w[q]); });
        });
      }
      each_sum(total, [&](Vec& part, auto r, auto q) INLINE_LAMBDA { part = part + Pairs::value(integers.sum[r][q]); });
    }
    each_sum(tile, [&](Vec& sum, auto r, auto q) INLINE_LAMBDA {
      sum = fma(total.sum[r][q], load(values + q * room * kLanes + scale_at(room)), sum);
    });
  }
};

template <class Pairs>
struct IntegerAttention {
  static constexpr void add_to(KernelTable& t) {
    t.attention[static_cast<int>(AttentionIn::kIntegers)] = attention<IntegerScores<Pairs>, IntegerValues<Pairs>>;
  }
};

}  // namespace
}  // namespace polysemy
