// Errors of the functions in csrc/kernels/math.inl.h over all 2^32 inputs, or every n-th, against double.
//
//   g++ -std=c++20 -O2 -ffp-contract=off -I csrc -mavx2 -mfma -D'ISA="isa/avx2.h"' tests/kernels/math/sweep.cpp -o
//   sweep
//   ./sweep gelu_erf [n]
//
// Prints the largest error in ULP of the result where the result is a normal number, the largest error as a share
// of the bound max(4 ULP, 1e-7 |x|), how many special values are wrong, and a hash of all results: levels with a
// fused multiply-add give the same one.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include ISA
#include "kernels/math.inl.h"

namespace {

using namespace polysemy;

double logistic(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double normal_gate(double x) { return x * 0.5 * std::erfc(-x * 0.70710678118654752440); }
double tanh_gate(double x) { return x * logistic(2 * 0.79788456080286535588 * (x + 0.044715 * x * x * x)); }

struct Function {
  const char* name;
  void (*kernel)(float* x);  // 16 lanes in place
  double (*exact)(double x);
  bool normal_only;  // results below the smallest normal number are +0
};

#define KERNEL(name) [](float* x) { store(x, polysemy::name(load(x))); }
const Function kFunctions[] = {
    {"exp", KERNEL(exp), [](double x) { return std::exp(x); }, true},
    {"erf", KERNEL(erf), [](double x) { return std::erf(x); }, false},
    {"tanh", KERNEL(tanh), [](double x) { return std::tanh(x); }, false},
    {"sigmoid", KERNEL(sigmoid), logistic, true},
    {"gelu_erf", KERNEL(gelu_erf), normal_gate, false},
    {"gelu_tanh", KERNEL(gelu_tanh), tanh_gate, false},
    {"silu", KERNEL(silu), [](double x) { return x * logistic(x); }, false},
    {"quick_gelu", KERNEL(quick_gelu), [](double x) { return x * logistic(1.702 * x); }, false},
    {"relu", KERNEL(relu), [](double x) { return x < 0 ? 0 : x; }, false},
    {"exp2_nonpositive",
     [](float* x) {
       for (int i = 0; i < 16; ++i) x[i] = x[i] > 0 ? -x[i] : x[i];
       store(x, polysemy::exp2_nonpositive(load(x)));
     },
     [](double x) { return std::exp2(-std::fabs(x)); }, true},
    // Against exp itself, whose bits it must have; positive inputs are negated.
    {"exp_nonpositive",
     [](float* x) {
       for (int i = 0; i < 16; ++i) x[i] = x[i] > 0 ? -x[i] : x[i];
       const Vec v = load(x);
       store(x, polysemy::exp_nonpositive(v));
       float y[16];
       store(y, polysemy::exp(v));
       for (int i = 0; i < 16; ++i)
         if (std::memcmp(x + i, y + i, 4) != 0 && x[i] == x[i]) std::printf("exp differs: %a, %a\n", x[i], y[i]);
     },
     [](double x) { return std::exp(-std::fabs(x)); }, true},
};

template <class To, class From>
To same_bits(From from) {
  To to;
  static_assert(sizeof to == sizeof from);
  std::memcpy(&to, &from, sizeof to);
  return to;
}

double ulp_at(double y) {  // spacing of floats
  const uint64_t exponent = same_bits<uint64_t>(y) >> 52 & 0x7FF;
  return same_bits<double>(((exponent < 897 ? uint64_t{897} : exponent) - 23) << 52);
}

struct Worst {
  double error = 0;
  float x = 0;
  void add(double e, float at) {
    if (e > error) error = e, x = at;
  }
};

int sweep(const Function& f, uint64_t stride) {
  Worst ulps, share;
  uint64_t hash = 14695981039346656037u, wrong = 0;
  float x[16], y[16], first_wrong = 0;
  for (uint64_t begin = 0; begin < uint64_t{1} << 32; begin += 16 * stride) {
    for (uint64_t i = 0; i < 16; ++i) x[i] = same_bits<float>(static_cast<uint32_t>(begin + i * stride));
    std::memcpy(y, x, sizeof x);
    f.kernel(y);
    for (int i = 0; i < 16; ++i) {
      hash = (hash ^ (y[i] != y[i] ? 0x7FC00000u : same_bits<uint32_t>(y[i]))) * 1099511628211u;
      double exact = f.exact(static_cast<double>(x[i]));
      if (x[i] == x[i] && exact != exact) exact = 0;  // the limit of -inf times a gate that is zero
      if (std::fabs(exact) > 0x1.ffffffp127) exact = std::copysign(INFINITY, exact);  // rounds to infinity
      if (f.normal_only && exact < 0x1p-126) exact = 0;
      const bool special = exact != exact || exact == 0 || std::fabs(exact) == INFINITY || y[i] - y[i] != 0;
      if (special) {
        const bool right = exact != exact ? y[i] != y[i] : static_cast<double>(y[i]) == exact;
        const bool sign = x[i] != 0 || f.normal_only || std::signbit(x[i]) == std::signbit(y[i]);
        if ((!right || !sign) && wrong++ == 0) first_wrong = x[i];
        continue;
      }
      const double error = std::fabs(static_cast<double>(y[i]) - exact), ulp = ulp_at(exact);
      if (std::fabs(exact) >= 0x1p-126) ulps.add(error / ulp, x[i]);
      share.add(error / std::fmax(4 * ulp, 1e-7 * std::fabs(static_cast<double>(x[i]))), x[i]);
    }
  }
  std::printf("%s: %.4f ULP at %a, %.4f of the bound at %a, %llu wrong (%a), hash %016llx\n", f.name, ulps.error,
              static_cast<double>(ulps.x), share.error, static_cast<double>(share.x),
              static_cast<unsigned long long>(wrong), static_cast<double>(first_wrong),
              static_cast<unsigned long long>(hash));
  return wrong != 0;
}

}  // namespace

int main(int argc, char** argv) {
  for (const Function& f : kFunctions)
    if (argc > 1 && std::strcmp(argv[1], f.name) == 0)
      return sweep(f, argc > 2 ? std::strtoull(argv[2], nullptr, 0) : 1);
  std::fprintf(stderr, "sweep: the first argument must name a function of math.inl.h\n");
  return 2;
}
