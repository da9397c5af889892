// Elementary functions on 16 lanes. Included after one header of isa/.
#pragma once

#include <cstdint>

#include "isa/inline.h"

namespace polysemy {
namespace {

INLINE Vec abs(Vec x) { return from_bits(bits(x) & iset1(0x7FFFFFFF)); }

// p(r) for |r| <= log(2) / 2 and t, whose low bits are n + 127, such that exp(x) = p(r) 2^n.
struct ExpParts {
  Vec p;
  IVec biased;
};
INLINE ExpParts exp_parts(Vec x) {
  const Vec magic = set1(0x1.8p23f + 127.0f);
  const Vec t = fma(x, set1(0x1.715476p0f), magic);
  const Vec n = t - magic;
  const Vec r = fnma(n, set1(-0x1.bd0106p-13f), fnma(n, set1(0x1.63p-1f), x));
  Vec p = set1(0x1.6ac74ep-10f);
  p = fma(p, r, set1(0x1.123dep-7f));
  p = fma(p, r, set1(0x1.555858p-5f));
  p = fma(p, r, set1(0x1.55548cp-3f));
  p = fma(p, r, set1(0x1.fffffcp-2f));
  p = fma(p, r, set1(1.0f));
  p = fma(p, r, set1(1.0f));
  return {p, bits(t)};
}
// log of the smallest normal number, rounded up
constexpr float kLogMin = -0x1.5d589ep6f;

INLINE Vec exp_nonpositive(Vec x) {
  const ExpParts e = exp_parts(x);
  return select(less(x, set1(kLogMin)), zero(), e.p * from_bits(shift_left<23>(e.biased)));
}

INLINE Vec exp(Vec x) {
  const Vec bounded = min(set1(89.0f), x);
  const ExpParts e = exp_parts(bounded);
  const IVec positive = iset1(1) + shift_right<31>(bits(bounded));  // 1 or 0
  const Vec half = from_bits(shift_left<23>(e.biased - positive));
  const Vec twice = from_bits(shift_left<23>(positive + iset1(127)));
  return select(less(x, set1(kLogMin)), zero(), (e.p * twice) * half);
}

INLINE Vec with_sign_of(Vec magnitude, Vec x) { return from_bits(bits(magnitude) | (bits(x) & iset1(INT32_MIN))); }

INLINE Vec sigmoid(Vec x) {
  const Vec e = exp_nonpositive(zero() - abs(x));
  return select(less(x, zero()), e, set1(1.0f)) / (set1(1.0f) + e);
}
INLINE Vec silu(Vec x) { return max(set1(-104.0f), x) * sigmoid(x); }
INLINE Vec quick_gelu(Vec x) { return max(set1(-104.0f), x) * sigmoid(x * set1(1.702f)); }
INLINE Vec relu(Vec x) { return max(zero(), x); }

INLINE Vec tanh(Vec x) {
  const Vec a = abs(x);
  const Vec e = exp_nonpositive(set1(-2.0f) * a);
  const Vec large = set1(1.0f) - (e + e) / (set1(1.0f) + e);
  const Vec u = x * x;
  Vec p = set1(-0x1.9c94b8p-8f);
  p = fma(p, u, set1(0x1.598278p-6f));
  p = fma(p, u, set1(-0x1.b931fcp-5f));
  p = fma(p, u, set1(0x1.110d6ap-3f));
  p = fma(p, u, set1(-0x1.55554cp-2f));
  const Vec small = fma(p * u, x, x);
  return select(less(a, set1(0x1p-13f)), x, select(less(a, set1(0.55f)), small, with_sign_of(large, x)));
}

INLINE Vec gelu_erf(Vec x) {
  const Vec a = min(abs(x), set1(5.652f));
  Vec q = set1(-0x1.c82de6p-19f);
  q = fma(q, a, set1(0x1.ea200ap-15f));
  q = fma(q, a, set1(-0x1.42917ap-12f));
  q = fma(q, a, set1(-0x1.2096a4p-15f));
  q = fma(q, a, set1(0x1.f1512ap-9f));
  q = fma(q, a, set1(0x1.30cc98p-8f));
  q = fma(q, a, set1(-0x1.9b3942p-5f));
  q = fma(q, a, set1(-0x1.5784e6p-3f));
  q = fma(q, a, set1(0x1.ae89fap-1f));
  const Vec q2 = q * q;
  return fnma(a, q2 * q2, max(zero(), x));
}

INLINE Vec gelu_tanh(Vec x) {
  const Vec b = max(set1(-12.0f), x);
  const Vec c = min(set1(12.0f), b);
  const Vec z = c * fma(c * c, set1(0x1.2444f2p-4f), set1(0x1.988454p0f));
  return b * sigmoid(z);
}

INLINE Vec erf(Vec x) {
  const Vec a = min(set1(4.0f), abs(x));
  const Vec u = x * x;
  Vec p = set1(0x1.4771fep-14f);
  p = fma(p, u, set1(-0x1.a3515ep-11f));
  p = fma(p, u, set1(0x1.53f224p-8f));
  p = fma(p, u, set1(-0x1.b7f71ap-6f));
  p = fma(p, u, set1(0x1.ce2ce6p-4f));
  p = fma(p, u, set1(-0x1.81273ep-2f));
  p = fma(p, u, set1(0x1.06eba8p-3f));
  const Vec small = fma(p, x, x);
  Vec q = set1(0x1.8cadf6p-13f);
  q = fma(q, a, set1(-0x1.861016p-9f));
  q = fma(q, a, set1(0x1.67b8a4p-6f));
  q = fma(q, a, set1(-0x1.a75eb2p-4f));
  q = fma(q, a, set1(-0x1.4692fep-1f));
  q = fma(q, a, set1(-0x1.209560p0f));
  q = fma(q, a, set1(-0x1.334e16p-12f));
  const Vec large = set1(1.0f) - exp_nonpositive(q);
  return select(less(a, set1(1.0f)), small, with_sign_of(large, x));
}
}  // namespace
}  // namespace polysemy
