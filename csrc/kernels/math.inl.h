// Elementary functions and activations on 16 lanes.
//
// Only exactly rounded operations in a fixed order, so every level with a fused multiply-add gives the same bits.
// The constants are minimax polynomials from tools/fit_math.py.
//
// Errors are the largest over all 2^32 inputs on a fused level. ULP: spacing of floats at the exact result. Gates,
// x g(x) with g from 0 to 1, may be off by max(4 ULP, 1e-7 |x|); theirs are shares of that. The baseline, whose
// fma() rounds twice, stays within 2 ULP for exp, erf and tanh, 3 ULP for sigmoid, and the bound of gates.
#pragma once

#include <cstdint>

#include "isa/inline.h"

namespace polysemy {
namespace {

INLINE Vec abs(Vec x) { return from_bits(bits(x) & iset1(0x7FFFFFFF)); }
INLINE Vec copysign(Vec magnitude, Vec x) { return from_bits(bits(magnitude) | (bits(x) & iset1(INT32_MIN))); }

// Coefficients from the highest power downwards.
template <class... Lower>
INLINE Vec horner(Vec x, float highest, Lower... lower) {
  Vec p = set1(highest);
  ((p = fma(p, x, set1(lower))), ...);
  return p;
}

// exp(x) = p 2^n, n = round(x / log 2), p = exp(r), r = x - n log 2 in [-0.3466, 0.3466].
// Adding 1.5 * 2^23 rounds to an integer; 127 more leave the exponent bits of 2^n at the bottom of the sum.
// log 2 has two parts, the first of 10 bits so that its product with n is exact even without a fused multiply-add.
struct ExpParts {
  Vec p;
  IVec biased_n;  // n + 127 in the low bits
};
INLINE ExpParts exp_parts(Vec x) {
  const Vec magic = set1(0x1.8p23f + 127.0f);
  const Vec t = fma(x, set1(0x1.715476p0f), magic);
  const Vec n = t - magic;
  const Vec r = fnma(n, set1(-0x1.bd0106p-13f), fnma(n, set1(0x1.63p-1f), x));
  return {horner(r, 0x1.6a5236p-10f, 0x1.12396cp-7f, 0x1.5558aap-5f, 0x1.555492p-3f, 0x1.fffffcp-2f, 1.0f, 1.0f),
          bits(t)};
}
INLINE Vec power_of_two(IVec biased_n) { return from_bits(shift_left<23>(biased_n)); }

constexpr float kSmallestExponent = -0x1.5d589ep6f;  // the smallest x for which exp(x) is a normal number

// exp(x) for x <= 0. Results below 2^-126 are +0. 0.91 ULP.
INLINE Vec exp_nonpositive(Vec x) {
  const ExpParts e = exp_parts(x);
  return keep(not_less(x, set1(kSmallestExponent)), e.p * power_of_two(e.biased_n));
}

// 2^x for x <= 0, as above; x - n is exact. Results below 2^-126 are +0. 0.80 ULP.
INLINE Vec exp2_nonpositive(Vec x) {
  const Vec magic = set1(0x1.8p23f + 127.0f);
  const Vec t = x + magic;
  const Vec r = x - (t - magic);
  const Vec p =
      horner(r, 0x1.416b60p-13f, 0x1.5f082ep-10f, 0x1.3b2de0p-7f, 0x1.c6af7cp-5f, 0x1.ebfbdcp-3f, 0x1.62e430p-1f, 1.0f);
  return keep(not_less(x, set1(-126.0f)), p * power_of_two(bits(t)));
}

// The same bits as exp_nonpositive for x <= 0; +inf on overflow. 2^128 is no float, so for x > 0 one factor of 2 goes
// to p. 0.91 ULP.
INLINE Vec exp(Vec x) {
  const Vec bounded = min(set1(89.0f), x);
  const ExpParts e = exp_parts(bounded);
  const IVec positive = iset1(1) + shift_right<31>(bits(bounded));  // 1 or 0
  const Vec p = e.p * power_of_two(positive + iset1(127));
  return keep(not_less(x, set1(kSmallestExponent)), p * power_of_two(e.biased_n - positive));
}

// |x| < 1: x + x p(x^2); otherwise 1 - exp(q(|x|)) with q(x) = log(erfc(x)) on [0.97, 4]. 1.06 ULP.
INLINE Vec erf(Vec x) {
  const Vec a = abs(x);
  const Vec p = horner(x * x, 0x1.4771fep-14f, -0x1.a3515ep-11f, 0x1.53f224p-8f, -0x1.b7f71ap-6f, 0x1.ce2ce6p-4f,
                       -0x1.81273ep-2f, 0x1.06eba8p-3f);
  const Vec q = horner(min(set1(4.0f), a), 0x1.8cafc4p-13f, -0x1.86109ep-9f, 0x1.67b8c0p-6f, -0x1.a75eb6p-4f,
                       -0x1.4692fep-1f, -0x1.209560p0f, -0x1.334dbep-12f);
  const Vec large = set1(1.0f) - exp_nonpositive(q);
  return select(less(a, set1(1.0f)), fma(p, x, x), copysign(large, x));
}

// |x| < 0.55: x + x^3 p(x^2), and x itself where x^2 is nothing beside 1; otherwise 1 - 2 e / (1 + e) with
// e = exp(-2 |x|). 1.50 ULP.
INLINE Vec tanh(Vec x) {
  const Vec a = abs(x);
  const Vec e = exp_nonpositive(set1(-2.0f) * a);
  const Vec large = set1(1.0f) - (e + e) / (set1(1.0f) + e);
  const Vec u = x * x;
  const Vec p = horner(u, -0x1.9921a2p-8f, 0x1.58e518p-6f, -0x1.b91e7ep-5f, 0x1.110ceep-3f, -0x1.55554ap-2f);
  const Vec small = fma(p * u, x, x);
  return select(less(a, set1(0x1p-13f)), x, select(less(a, set1(0.55f)), small, copysign(large, x)));
}

// 1 / (1 + exp(-x)), from e = exp(-|x|) so that nothing overflows. Results below 2^-126 are +0. 2.41 ULP.
INLINE Vec sigmoid(Vec x) {
  const Vec e = exp_nonpositive(zero() - abs(x));
  return select(less(x, zero()), e, set1(1.0f)) / (set1(1.0f) + e);
}

// x / (1 + exp(-z)) for z >= -88.8. From z = -88.37 downwards 2^n is 2^128, that is +inf, and the quotient -0.
INLINE Vec logistic_gate(Vec x, Vec z) {
  const ExpParts e = exp_parts(zero() - min(set1(87.0f), z));
  return x / fma(e.p, power_of_two(e.biased_n), set1(1.0f));
}

// x sigmoid(x); the limit -0 for -inf. 0.50 of the bound.
INLINE Vec silu(Vec x) {
  const Vec bounded = max(set1(-88.8f), x);
  return logistic_gate(bounded, bounded);
}

// x sigmoid(1.702 x); the limit -0 for -inf. 0.50 of the bound.
INLINE Vec quick_gelu(Vec x) {
  const Vec bounded = max(set1(-52.17f), x);
  return logistic_gate(bounded, bounded * set1(1.702f));
}

INLINE Vec relu(Vec x) { return max(zero(), x); }

// x (1 - T(x)) where T falls from T(0) = 1/2 to 0 and T(-x) = 1 - T(x), as max(x, 0) - |x| T(|x|).
//
// T(a) = w^2 - 2^-24, w = c + u (u + b), u = v (v + d) and v = a t(a) with a polynomial t. Each square root flattens
// the tail: after three, 8 coefficients do what takes 12 in x^2, or 7 look-ups of 8 pieces each, or an exp(). u and v
// are small where T is large, so squaring does not amplify their errors there, as (u + b / 2)^2 from a rounded
// u + b / 2 would. c^2 - 2^-24 rounds to 1/2. At |x| = clamp w is exactly 2^-12, so from there on T is 0 and the
// result x or +0.
//
// The error is kept far below the bound for 1 < |x| < 4, where inputs crowd and the gate closes: an error of 5e-8 |x|
// there, as 0.5 x (1 + erf(x / sqrt(2))) in float has, would be most of the error of an encoder's hidden states.
template <class... T>
INLINE Vec tail_gate(Vec x, float clamp, T... t) {
  const Vec a = min_abs(x, set1(clamp));
  const Vec v = horner(a, t...) * a;
  const Vec u = v * (v + set1(0x1.ddcf70p0f));
  const Vec w = fma(u, u + set1(0x1.ae8b2ep0f), set1(0x1.6a09e8p-1f));
  Vec tail = fma(w, w, set1(-0x1p-24f));
  if constexpr (!kFused) tail = keep(less(a, set1(clamp)), tail);  // there w is 2^-12 up to rounding
  return fnma(a, tail, max(zero(), x));
}

// x Phi(x), Phi the normal distribution: T(a) = Phi(-a) = erfc(a / sqrt(2)) / 2. 0.85 of the bound.
INLINE Vec gelu_erf(Vec x) {
  return tail_gate(x, 0x1.57d7eep2f, -0x1.46e298p-22f, 0x1.ef8ca4p-18f, -0x1.ec9b5cp-15f, 0x1.19337cp-15f,
                   0x1.8f4c20p-10f, -0x1.1d0044p-11f, -0x1.ff6e96p-6f, -0x1.7018e4p-4f);
}

// x / (1 + exp(-2 z)) = x (1 + tanh z) / 2 with z = sqrt(2 / pi) (x + 0.044715 x^3): T(a) = 1 / (1 + exp(2 z(a))).
// 0.95 of the bound.
INLINE Vec gelu_tanh(Vec x) {
  return tail_gate(x, 0x1.48475cp2f, -0x1.476cf6p-25f, 0x1.0addeap-20f, -0x1.52b024p-17f, 0x1.a275a4p-15f,
                   -0x1.e9c958p-14f, 0x1.7e3b32p-14f, -0x1.f4bedcp-14f, 0x1.afa1b4p-10f, -0x1.00edc6p-11f,
                   -0x1.ff6300p-6f, -0x1.701902p-4f);
}

}  // namespace
}  // namespace polysemy
