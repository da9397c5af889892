// Matrix products of random sizes against sums in float64.
#include "ops/gemm.h"
#include "trial.h"

namespace {

using namespace polysemy;
using namespace trial;

void one_product(const KernelTable& table, Random& random) {
  const int64_t m = random.between(0, 70), n = random.between(1, 90);
  const int64_t k = random.below(8) == 0 ? random.between(380, 800) : random.between(0, 70);
  const int64_t a_stride = k + random.below(3), c_stride = n + random.below(3);
  const Floats a(m ? (m - 1) * a_stride + k : 0, random), weight(n * k, random), bias(n, random);
  const Floats residual(m ? (m - 1) * c_stride + n : 0, random);
  Floats c(residual.size());
  PackedWeight packed(n, k);
  packed.fill(table, weight.get(), k, 0, n);
  Linear op{};
  op.weight = &packed;
  op.a = a.get();
  op.a_stride = a_stride;
  op.rows = m;
  op.c = c.get();
  op.c_stride = c_stride;
  op.bias = random.below(2) ? bias.get() : nullptr;
  op.residual = random.below(2) ? residual.get() : nullptr;
  op.residual_stride = c_stride;
  op.activation = random.below(2) ? Activation::kRelu : Activation::kNone;
  linear_parallel(table, op, static_cast<int>(random.between(1, 4)));
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0, size = 0;
      for (int64_t l = 0; l < k; ++l) {
        const double product = static_cast<double>(a[i * a_stride + l]) * static_cast<double>(weight[j * k + l]);
        sum += product;
        size += std::abs(product);
      }
      if (op.bias) sum += static_cast<double>(bias[j]), size += std::abs(static_cast<double>(bias[j]));
      if (op.activation == Activation::kRelu && sum < 0) sum = 0;
      const double added = op.residual ? static_cast<double>(residual[i * c_stride + j]) : 0.0;
      const double error = std::abs(static_cast<double>(c[i * c_stride + j]) - (sum + added));
      expect(error <= 8 * kUnit * (size + std::abs(added)),
             "product of " + std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k));
    }
  }
}

}  // namespace

int main() { return trial::on_every_level(400, one_product); }
