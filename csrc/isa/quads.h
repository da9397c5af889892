// A Vec of four registers of 128 bits, written with the vector extension that GCC and Clang share. A level that
// includes it defines what is only declared here.
#pragma once

#include <cstdint>

#include "isa/inline.h"

namespace polysemy {
namespace {

using Quad = float __attribute__((vector_size(16)));
using IQuad = int32_t __attribute__((vector_size(16)));
using DPair = double __attribute__((vector_size(16)));

INLINE Quad multiply_add(Quad a, Quad b, Quad c);  // a b + c
INLINE Quad root(Quad a);

struct Vec {  // 16 x float
  Quad q[4];
};
struct IVec {  // 16 x int32
  IQuad q[4];
};
struct Mask {  // 16 x bool
  IQuad q[4];
};
struct DVec {  // 16 x double
  DPair p[8];
};

template <class R, class F>
INLINE R each_quad(F f) {
  return R{{f(0), f(1), f(2), f(3)}};
}

INLINE Vec set1(float x) { return {{Quad{x, x, x, x}, Quad{x, x, x, x}, Quad{x, x, x, x}, Quad{x, x, x, x}}}; }
INLINE Vec zero() { return set1(0.0f); }
INLINE Quad load_quad(const float* p) {
  Quad q;
  __builtin_memcpy(&q, p, sizeof q);
  return q;
}
INLINE Vec load(const float* p) { return {{load_quad(p), load_quad(p + 4), load_quad(p + 8), load_quad(p + 12)}}; }
INLINE void store(float* p, Vec a) { __builtin_memcpy(p, &a, sizeof a); }

INLINE Vec operator+(Vec a, Vec b) {
  return each_quad<Vec>([&](int i) { return a.q[i] + b.q[i]; });
}
INLINE Vec operator-(Vec a, Vec b) {
  return each_quad<Vec>([&](int i) { return a.q[i] - b.q[i]; });
}
INLINE Vec operator*(Vec a, Vec b) {
  return each_quad<Vec>([&](int i) { return a.q[i] * b.q[i]; });
}
INLINE Vec operator/(Vec a, Vec b) {
  return each_quad<Vec>([&](int i) { return a.q[i] / b.q[i]; });
}
INLINE Vec fma(Vec a, Vec b, Vec c) {  //  a b + c
  return each_quad<Vec>([&](int i) { return multiply_add(a.q[i], b.q[i], c.q[i]); });
}
INLINE Vec fnma(Vec a, Vec b, Vec c) {  // -a b + c
  return each_quad<Vec>([&](int i) { return multiply_add(-a.q[i], b.q[i], c.q[i]); });
}

// A comparison with NaN is false, so both return b when either is NaN.
INLINE Vec min(Vec a, Vec b) {
  return each_quad<Vec>([&](int i) { return a.q[i] < b.q[i] ? a.q[i] : b.q[i]; });
}
INLINE Vec max(Vec a, Vec b) {
  return each_quad<Vec>([&](int i) { return a.q[i] > b.q[i] ? a.q[i] : b.q[i]; });
}
// min(|a|, b) for b >= 0, and b when a is NaN.
INLINE Vec min_abs(Vec a, Vec b) {
  return each_quad<Vec>([&](int i) {
    const Quad magnitude = (Quad)((IQuad)a.q[i] & 0x7FFFFFFF);
    return magnitude < b.q[i] ? magnitude : b.q[i];
  });
}
INLINE Vec sqrt(Vec a) {
  return each_quad<Vec>([&](int i) { return root(a.q[i]); });
}

INLINE IVec iset1(int32_t x) { return {{IQuad{x, x, x, x}, IQuad{x, x, x, x}, IQuad{x, x, x, x}, IQuad{x, x, x, x}}}; }
INLINE IVec operator+(IVec a, IVec b) {
  return each_quad<IVec>([&](int i) { return a.q[i] + b.q[i]; });
}
INLINE IVec operator-(IVec a, IVec b) {
  return each_quad<IVec>([&](int i) { return a.q[i] - b.q[i]; });
}
INLINE IVec operator&(IVec a, IVec b) {
  return each_quad<IVec>([&](int i) { return a.q[i] & b.q[i]; });
}
INLINE IVec operator|(IVec a, IVec b) {
  return each_quad<IVec>([&](int i) { return a.q[i] | b.q[i]; });
}
INLINE IVec operator^(IVec a, IVec b) {
  return each_quad<IVec>([&](int i) { return a.q[i] ^ b.q[i]; });
}
template <int bits>
INLINE IVec shift_left(IVec a) {
  return each_quad<IVec>([&](int i) { return a.q[i] << bits; });
}
template <int bits>
INLINE IVec shift_right(IVec a) {  // arithmetic: the sign is kept
  return each_quad<IVec>([&](int i) { return a.q[i] >> bits; });
}
INLINE IVec bits(Vec a) {
  return each_quad<IVec>([&](int i) { return (IQuad)a.q[i]; });
}
INLINE Vec from_bits(IVec a) {
  return each_quad<Vec>([&](int i) { return (Quad)a.q[i]; });
}

INLINE Mask less(Vec a, Vec b) {
  return each_quad<Mask>([&](int i) { return (IQuad)(a.q[i] < b.q[i]); });
}
INLINE Mask not_less(Vec a, Vec b) {  // true when either is NaN
  return each_quad<Mask>([&](int i) { return ~(IQuad)(a.q[i] < b.q[i]); });
}
INLINE Mask equal(Vec a, Vec b) {
  return each_quad<Mask>([&](int i) { return (IQuad)(a.q[i] == b.q[i]); });
}
INLINE Mask first_lanes(int64_t n) {  // lane i is set when i < n
  const int32_t c = n > 16 ? 16 : n < 0 ? 0 : static_cast<int32_t>(n);
  return each_quad<Mask>([&](int i) {
    const int32_t first = 4 * i;
    return (IQuad)(IQuad{first, first + 1, first + 2, first + 3} < IQuad{c, c, c, c});
  });
}
INLINE Mask nonzero_bytes(const uint8_t* p) {  // reads 16 bytes
  return each_quad<Mask>([&](int i) {
    return IQuad{p[4 * i] ? -1 : 0, p[4 * i + 1] ? -1 : 0, p[4 * i + 2] ? -1 : 0, p[4 * i + 3] ? -1 : 0};
  });
}
INLINE Mask operator&(Mask a, Mask b) {
  return each_quad<Mask>([&](int i) { return a.q[i] & b.q[i]; });
}
INLINE Vec select(Mask m, Vec yes, Vec no) {
  return each_quad<Vec>([&](int i) { return (Quad)((m.q[i] & (IQuad)yes.q[i]) | (~m.q[i] & (IQuad)no.q[i])); });
}

INLINE Vec keep(Mask m, Vec a) {  // zero in the other lanes
  return each_quad<Vec>([&](int i) { return (Quad)(m.q[i] & (IQuad)a.q[i]); });
}

// Counted: lanes from n on are neither read nor written; they load as zero.
INLINE Vec load_n(const float* p, int64_t n) {
  if (n >= 16) return load(p);
  Vec a = zero();
  __builtin_memcpy(&a, p, n > 0 ? static_cast<unsigned long>(n) * sizeof(float) : 0);
  return a;
}
INLINE void store_n(float* p, Vec a, int64_t n) {
  if (n >= 16) return store(p, a);
  __builtin_memcpy(p, &a, n > 0 ? static_cast<unsigned long>(n) * sizeof(float) : 0);
}

INLINE Vec load_bfloat16_n(const uint16_t* p, int64_t n) {
  IVec a{};
  for (int i = 0; i < 16 && i < n; ++i) a.q[i / 4][i % 4] = static_cast<int32_t>(static_cast<uint32_t>(p[i]) << 16);
  return from_bits(a);
}

INLINE float reduce_add(Vec a) {
  const Quad s4 = (a.q[0] + a.q[2]) + (a.q[1] + a.q[3]);
  return (s4[0] + s4[2]) + (s4[1] + s4[3]);
}
// Lane i becomes lane i ^ distance, for a distance of 1, 2, 4 or 8.
template <int distance>
INLINE Vec swap_lanes(Vec a) {
  return each_quad<Vec>([&](int i) {
    const Quad q = a.q[i ^ distance / 4];
    return distance == 1 ? Quad{q[1], q[0], q[3], q[2]} : distance == 2 ? Quad{q[2], q[3], q[0], q[1]} : q;
  });
}

INLINE float reduce_max(Vec a) {
  const auto larger = [](float x, float y) { return x > y ? x : y; };
  const Vec b = max(Vec{{a.q[0], a.q[1], a.q[0], a.q[1]}}, Vec{{a.q[2], a.q[3], a.q[2], a.q[3]}});
  const Quad s4 = b.q[0] > b.q[1] ? b.q[0] : b.q[1];
  return larger(larger(s4[0], s4[2]), larger(s4[1], s4[3]));
}

INLINE DVec dzero() { return {}; }
INLINE DVec widen(Vec a) {
  DVec d;
  for (int i = 0; i < 8; ++i) {
    d.p[i] = DPair{static_cast<double>(a.q[i / 2][i % 2 * 2]), static_cast<double>(a.q[i / 2][i % 2 * 2 + 1])};
  }
  return d;
}
INLINE DVec operator+(DVec a, DVec b) {
  for (int i = 0; i < 8; ++i) a.p[i] += b.p[i];
  return a;
}
INLINE DVec operator*(DVec a, DVec b) {
  for (int i = 0; i < 8; ++i) a.p[i] *= b.p[i];
  return a;
}
// Of factors that are floats: their product is exact, fused or not.
INLINE DVec fma(DVec a, DVec b, DVec c) {
  for (int i = 0; i < 8; ++i) c.p[i] += a.p[i] * b.p[i];
  return c;
}
INLINE DVec fma(double a, DVec b, DVec c) {
  for (int i = 0; i < 8; ++i) c.p[i] += DPair{a, a} * b.p[i];
  return c;
}
INLINE Vec narrow(DVec a, double scale) {  // a * scale, rounded to float
  Vec r;
  for (int i = 0; i < 16; ++i) r.q[i / 4][i % 4] = static_cast<float>(a.p[i / 2][i % 2] * scale);
  return r;
}
INLINE double reduce_add(DVec a) {
  const DPair s2 = ((a.p[0] + a.p[4]) + (a.p[2] + a.p[6])) + ((a.p[1] + a.p[5]) + (a.p[3] + a.p[7]));
  return s2[0] + s2[1];
}

// dst[c * 16 + r] = src[r * stride + c] for r, c < 8
INLINE void transpose8(const float* src, int64_t stride, float* dst) {
  for (int r = 0; r < 8; ++r)
    for (int c = 0; c < 8; ++c) dst[c * 16 + r] = src[r * stride + c];
}

// Hints; any address will do.
INLINE void prefetch_l2(const void* p) { __builtin_prefetch(p, 0, 2); }
INLINE void prefetch_to_write(const void* p) { __builtin_prefetch(p, 1); }

// Products of two weights and two activations of 16 bits for each of 16 outputs, where sums fit into 32 bits.
struct IntegerPairs {
  using Element = int16_t;  // of a prepared row
  using Word = int16_t;
  struct Words {
    IVec even, odd;
  };
  struct Input {
    int32_t even, odd;
  };
  using Sum = IVec;
  static constexpr int kInputs = 2;  // that it multiplies at a time
  static constexpr const char* kInstruction = "integer multiply, add";
  static constexpr bool kNative = false;  // whether an instruction multiplies pairs

  INLINE static Sum zero() { return iset1(0); }
  INLINE static Words load_weights(const Word* p) {
    IVec pairs;
    __builtin_memcpy(&pairs, p, sizeof pairs);
    return {shift_right<16>(shift_left<16>(pairs)), shift_right<16>(pairs)};
  }
  INLINE static Input load_input(const char* p) {
    Element x[2];
    __builtin_memcpy(x, p, sizeof x);
    return {x[0], x[1]};
  }
  INLINE static Sum add_products(Sum s, Input x, Words w) {
    return each_quad<Sum>([&](int i) { return s.q[i] + w.even.q[i] * x.even + w.odd.q[i] * x.odd; });
  }
  INLINE static Vec value(Sum s) {
    return each_quad<Vec>([&](int i) { return __builtin_convertvector(s.q[i], Quad); });
  }
  INLINE static void store_elements(Element* p, IVec integers) {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<Element>(integers.q[i / 4][i % 4]);
  }
};

// Products of a weight and an activation for each of 16 outputs, of integers: exact as long as sums stay below 2^24.
struct WideProducts {
  using Element = float;  // of a prepared row
  using Word = float;     // of a widened block
  using Words = Vec;
  using Input = Vec;
  using Sum = Vec;
  static constexpr int kInputs = 1;  // that it multiplies at a time

  INLINE static Sum zero() { return ::polysemy::zero(); }
  INLINE static Words load_weights(const Word* p) { return load(p); }
  INLINE static Input load_input(const char* p) {
    float x;
    __builtin_memcpy(&x, p, sizeof x);
    return set1(x);
  }
  INLINE static Sum add_products(Sum s, Input x, Words w) { return fma(x, w, s); }
  // The sum of (q - zero) * weight, where `total` are sums of weights.
  INLINE static Vec value(Sum s, float /*zero*/, Vec /*total*/) { return s; }
  // centered: q - zero.
  INLINE static void store_elements(Element* p, IVec centered, float /*zero*/) {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<float>(centered.q[i / 4][i % 4]);
  }
  // Four 8-bit weights of each output.
  INLINE static void widen(const int8_t* p, Words (&to)[4]) {
    for (int i = 0; i < 16; ++i)
      for (int j = 0; j < 4; ++j) to[j].q[i / 4][i % 4] = static_cast<float>(p[4 * i + j]);
  }
  INLINE static void store_weights(Word* p, Words w) { store(p, w); }
};

}  // namespace
}  // namespace polysemy
