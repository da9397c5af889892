// Functions of every element against the C library in double.
#include "ops/rows.h"
#include "trial.h"

namespace {

using namespace polysemy;
using namespace trial;

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

struct Function {
  Activation kind;
  double (*exact)(double x);
  double ulps;
  bool gate;  // a multiple of x that goes to zero: an error of 1e-7 |x| is allowed
};

const Function kFunctions[] = {
    {Activation::kNone, [](double x) { return x; }, 0, false},
    {Activation::kRelu, [](double x) { return x > 0 ? x : 0; }, 0, false},
    {Activation::kGeluErf, [](double x) { return x * 0.5 * std::erfc(-x * std::sqrt(0.5)); }, 4, true},
    {Activation::kGeluTanh,
     [](double x) { return x * logistic(2 * std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)); }, 4, true},
    {Activation::kSilu, [](double x) { return x * logistic(x); }, 4, true},
    {Activation::kQuickGelu, [](double x) { return x * logistic(1.702 * x); }, 4, true},
    {Activation::kTanh, [](double x) { return std::tanh(x); }, 2, false},
    // One, and half of one more where a multiply-add rounds its product.
    {Activation::kExp, [](double x) { return std::exp(x); }, 1.5, false},
    {Activation::kErf, [](double x) { return std::erf(x); }, 2, false},
    {Activation::kSigmoid, logistic, 3, false},
};

double ulp(double y) { return std::ldexp(1.0, std::ilogb(std::fmax(std::abs(y), kSmallestNormal)) - 23); }

void check(const Function& f, float x, float y) {
  double exact = f.exact(static_cast<double>(x));
  const bool flushes = f.kind == Activation::kExp || f.kind == Activation::kSigmoid;
  if (flushes && exact < kSmallestNormal) exact = 0;
  const std::string what = "activation " + std::to_string(static_cast<int>(f.kind)) + " of " + std::to_string(x);
  if (exact >= 0x1.ffffffp127) return expect(std::isinf(y) && y > 0, what);  // rounds to infinity
  const double bound = std::fmax(f.ulps * ulp(exact), f.gate ? 1e-7 * std::abs(static_cast<double>(x)) : 0);
  expect(std::abs(static_cast<double>(y) - exact) <= bound, what);
}

void one_of_each(const KernelTable& table, Random& random) {
  const int64_t count = random.below(6) == 0 ? random.between(300, 9000) : random.between(0, 70);
  const Floats x(count, random, random.below(2) ? 8.0f : 95.0f), out(count);
  for (const Function& f : kFunctions) {
    elements_parallel(table, {x.get(), out.get(), count, f.kind}, static_cast<int>(random.between(1, 4)));
    for (int64_t i = 0; i < count; ++i) check(f, x[i], out[i]);
  }
}

}  // namespace

int main() { return trial::on_every_level(60, one_of_each); }
