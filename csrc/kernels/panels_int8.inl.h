// Products in int8: of each group of kInt8Group inputs, weights are 8-bit integers with a scale per output, activations
// 8-bit integers with a scale and a zero point per row. Sums of integers are exact; then
//   c += (float(sum) * weight scale) * row scale.
//
// Both sides are rotated first, x W^T = (x H / 64) (W H)^T with the Hadamard matrix H of 64 inputs: one input that is
// far larger than the others would leave them few of the 256 integers, a rotation spreads it over all.
//
// 192 * 255 * 127 < 2^23: every such sum is a number of float32, too, so a level may count in float32 what another
// counts in integers. A row with a number that is not finite in a group has a scale of NaN there.
#pragma once

#include <type_traits>  // conditional, a type only

#include "kernels/panels_integers.inl.h"

namespace polysemy {
namespace {

static_assert(kBlockK * 255 * 127 < 1 << 23);

INLINE float reduce_min(Vec v) { return -reduce_max(zero() - v); }

// How numbers in [low, high], zero among them, become integers 0 to 255.
struct Quantizer {
  float scale, inverse, zero;  // x ~ scale * (q - zero) with q = x * inverse + zero

  INLINE static Quantizer of(float low, float high, float poison) {
    if (!(poison == 0.0f)) return {__builtin_nanf(""), 0.0f, 0.0f};
    // Products, not a quotient of the difference, which may be infinite.
    const float scale = high * (1.0f / 255.0f) - low * (1.0f / 255.0f);
    if (scale < kLeastScale) return {0.0f, 0.0f, 0.0f};  // as good as zeros
    const float inverse = 1.0f / scale;
    float lane[kLanes];
    store(lane, set1(low * inverse) + set1(0x1.8p23f));
    return {scale, inverse, 0x1.8p23f - lane[0]};
  }
};

// v H / 64 of up to 64 numbers, zeros behind them: the Sylvester matrix, whose factors are sums and differences of two.
INLINE void rotate(const float* from, int64_t n, float* to) {
  Vec v[4];
  unroll<4>([&](auto i) INLINE_LAMBDA {
    v[i] = n > i * kLanes ? load_n(from + i * kLanes, n - i * kLanes) * set1(1.0f / kInt8Rotated) : zero();
  });
  const Vec a = v[0] + v[1], b = v[0] - v[1], c = v[2] + v[3], d = v[2] - v[3];
  v[0] = a + c;
  v[1] = b + d;
  v[2] = a - c;
  v[3] = b - d;
  unroll<4>([&](auto stage) INLINE_LAMBDA {
    constexpr int distance = 1 << stage;
    float signs[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) signs[lane] = lane & distance ? -1.0f : 1.0f;
    const Vec sign = load(signs);
    unroll<4>([&](auto i) INLINE_LAMBDA { v[i] = fma(v[i], sign, swap_lanes<distance>(v[i])); });
  });
  unroll<4>([&](auto i) INLINE_LAMBDA { store(to + i * kLanes, v[i]); });
}

// All of a group; returns how many numbers there are then.
INLINE int64_t rotate_group(const float* from, int64_t n, float* to) {
  for (int64_t i = 0; i < n; i += kInt8Rotated) rotate(from + i, n - i, to + i);
  return round_up(n, kInt8Rotated);
}

// A group of a prepared row: scale and zero point, then its integers.
template <class Element>
struct alignas(4) PreparedGroup {
  float scale, zero;
  Element element[kInt8Group];
};

// Behind the words of a group.
struct Int8Scales {
  static constexpr int64_t kHeader = 2 * sizeof(float), kPadded = kInt8Rotated;
  Vec scale, total;

  INLINE static Int8Scales load(const float* extra) {
    return {::polysemy::load(extra), ::polysemy::load(extra + kLanes)};
  }
  template <class Step>
  INLINE Vec value(typename Step::Sum sum, const float* row) const {
    return Step::value(sum, row[1], total) * scale * set1(row[0]);
  }
};

// Quads of 8-bit weights on a level without an instruction for them: as products of wider integers.
template <class Step>
struct WideQuads {
  using Element = typename Step::Element;
  using Word = int8_t;
  using Sum = typename Step::Sum;
  using Widened = Step;
  static constexpr int kInputs = 4, kSteps = kInputs / Step::kInputs;
  static constexpr const char* kInstruction = kMultiplyIntegers;

  struct Words {
    typename Step::Words of[kSteps];
  };
  struct Input {
    typename Step::Input of[kSteps];
  };
  INLINE static Sum zero() { return Step::zero(); }
  INLINE static Words load_weights(const Word* p) {
    Words w;
    Step::widen(p, w.of);
    return w;
  }
  INLINE static Input load_input(const char* p) {
    Input x;
    constexpr int64_t size = Step::kInputs * static_cast<int64_t>(sizeof(Element));
    unroll<kSteps>([&](auto i) INLINE_LAMBDA { x.of[i] = Step::load_input(p + i * size); });
    return x;
  }
  INLINE static Sum add_products(Sum s, const Input& x, const Words& w) {
    unroll<kSteps>([&](auto i) INLINE_LAMBDA { s = Step::add_products(s, x.of[i], w.of[i]); });
    return s;
  }
  INLINE static Vec value(Sum s, float zero, Vec total) { return Step::value(s, zero, total); }
  INLINE static void store_elements(Element* p, IVec centered, float zero) { Step::store_elements(p, centered, zero); }
  INLINE static void widen(const Word* p, typename Step::Word* to) {
    const Words w = load_weights(p);
    unroll<kSteps>([&](auto i) INLINE_LAMBDA { Step::store_weights(to + i * Step::kInputs * kLanes, w.of[i]); });
  }
};

// A group that was widened: what Quads::widen makes of its quads, scales and sums behind them.
template <class Quads>
struct WideInt8 {
  using Step = typename Quads::Widened;
  using Word = typename Step::Word;
  using Input = char;
  using Tiles = FullTiles;
  static constexpr Precision kPrecision = Precision::kInt8;
  static constexpr int64_t kBlockBytes = kInt8Group * kLanes * static_cast<int64_t>(sizeof(Word)) + kInt8Extra;

  static constexpr int64_t input_at(int64_t) { return 0; }

  template <int fetched, int rows, int panels>
  INLINE static void accumulate(Tile<rows, panels>& tile, const Input* a, int64_t a_stride, const Word* b,
                                int64_t panel_stride, int64_t k, int64_t ahead) {
    accumulate_group<Int8Scales, Step, fetched>(tile, a, a_stride, b, panel_stride, k, ahead);
  }
};

template <class Quads>
struct Int8Panels {
  using Word = int8_t;
  using Input = char;  // of prepared blocks
  using Group = PreparedGroup<typename Quads::Element>;
  static constexpr Precision kPrecision = Precision::kInt8;
  static constexpr const char* kInstruction = Quads::kInstruction;
  static constexpr bool kPrepares = true;
  static constexpr int64_t kBlock = kInt8Group;
  using Mode = SameMode;
  static constexpr bool kWidens = !std::is_void_v<typename Quads::Widened>;
  using Wide = std::conditional_t<kWidens, WideInt8<Quads>, void>;
  using Tiles = std::conditional_t<kWidens, WideningTiles, FullTiles>;

  static constexpr int64_t input_at(int64_t k) { return k / kInt8Group * static_cast<int64_t>(sizeof(Group)); }
  static constexpr int64_t input_bytes(int64_t k) { return input_at(round_up(k, kInt8Group)); }

  template <int fetched, int rows, int panels>
  INLINE static void accumulate(Tile<rows, panels>& tile, const Input* a, int64_t a_stride, const Word* b,
                                int64_t panel_stride, int64_t k, int64_t ahead) {
    accumulate_group<Int8Scales, Quads, fetched>(tile, a, a_stride, b, panel_stride, k, ahead);
  }

  template <class Wider>
  INLINE static void widen_block(const Word* b, int64_t k, int64_t ahead, Wider* to) {
    if (k == 0) return;
    const int64_t end = round_up(k, kInt8Rotated) * kLanes;
    for (int64_t i = 0; i < end; i += 4 * kLanes) {
      Quads::widen(b + i, to + i);
      prefetch_l2(b + i + ahead);
    }
    __builtin_memcpy(to + end, b + end, kInt8Extra);
  }

  static void prepare(const PrepareTask& t) noexcept {
    for (int64_t r = 0; r < t.rows; ++r) {
      const float* const x = t.x + r * t.x_stride;
      auto* group = reinterpret_cast<Group*>(t.out + r * t.out_stride);
      for (int64_t k = 0; k < t.k; k += kInt8Group) {
        prepare_group(x + k, t.k - k < kInt8Group ? t.k - k : kInt8Group, *group++);
      }
    }
  }

  INLINE static void prepare_group(const float* x, int64_t n, Group& to) {
    alignas(64) float rotated[kInt8Group];
    const int64_t count = rotate_group(x, n, rotated);
    Vec low = ::polysemy::zero(), high = low, poison = low;
    for (int64_t i = 0; i < count; i += kLanes) {
      const Vec v = load(rotated + i);
      low = min(v, low);
      high = max(v, high);
      poison = fma(v, ::polysemy::zero(), poison);
    }
    const Quantizer q = Quantizer::of(reduce_min(low), reduce_max(high), reduce_add(poison));
    to.scale = q.scale;
    to.zero = q.zero;
    const Vec inverse = set1(q.inverse), most = set1(255.0f - q.zero);
    for (int64_t i = 0; i < count; i += kLanes) {
      const IVec centered = to_nearest(min(load(rotated + i) * inverse, most));
      Quads::store_elements(to.element + i, centered, q.zero);
    }
  }

  static void pack(const PackTask& t) noexcept {
    each_panel_block<kPrecision>(t, [&](const float* rows, int64_t count, int64_t block, void* to) INLINE_LAMBDA {
      for (int64_t k = 0; k < block; k += kInt8Group) {
        const int64_t length = block - k < kInt8Group ? block - k : kInt8Group;
        const int64_t end = round_up(length, kInt8Rotated) / 4;
        auto* const quads = reinterpret_cast<uint32_t*>(static_cast<char*>(to) + panel_offset(kPrecision, k));
        float* const extra = reinterpret_cast<float*>(quads + end * kLanes);
        for (int64_t r = 0; r < kLanes; ++r) {
          extra[r] = extra[kLanes + r] = 0.0f;
          if (r < count) {
            pack_row(rows + r * kBlockK + k, length, quads + r, extra[r], extra[kLanes + r]);
          } else {
            for (int64_t i = 0; i < end; ++i) quads[i * kLanes + r] = 0;
          }
        }
      }
    });
  }

 private:
  INLINE static void pack_row(const float* from, int64_t n, uint32_t* quads, float& scale, float& total) {
    alignas(64) float row[kInt8Group];
    const int64_t length = rotate_group(from, n, row);
    for (int64_t i = 0; i < length; i += kLanes) store(row + i, load(row + i) * set1(kInt8Rotated));
    const Symmetric to = Symmetric::of<127>(row, length);
    scale = to.scale;
    const Vec inverse = set1(to.inverse);
    int32_t sum = 0;
    for (int64_t i = 0; i < length; i += kLanes) {
      float word[kLanes];
      store(word, from_bits(to_nearest(load(row + i) * inverse)));
      for (int64_t j = 0; j < kLanes; j += 4) {
        uint32_t quad = 0;
        for (int64_t l = 0; l < 4; ++l) {
          int32_t value;
          __builtin_memcpy(&value, word + j + l, sizeof value);
          value = value < -127 ? -127 : value > 127 ? 127 : value;  // what is not finite is anything
          sum += value;
          quad |= (static_cast<uint32_t>(value) & 0xFFu) << 8 * l;
        }
        quads[(i + j) / 4 * kLanes] = quad;
      }
    }
    total = static_cast<float>(sum);
  }
};

}  // namespace
}  // namespace polysemy
