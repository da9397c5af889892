// Matrix products of random sizes against sums in float64.
#include "ops/linear.h"
#include "ops/matmul.h"
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
  packed.pack(table, {.data = weight.get(), .rows = n, .columns = k});
  Linear op{};
  op.weight = packed.panels();
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

// relu(a G^T + bias) * (a U^T + bias), whole and from any share of the pairs of panels.
void one_gated_product(const KernelTable& table, Random& random) {
  const int64_t m = random.between(1, 250), n = random.between(1, 90);
  const int64_t k = random.below(8) == 0 ? random.between(380, 800) : random.between(1, 70);
  const int64_t columns = round_up(n, kLanes);
  const Floats a(m * k, random), gate(n * k, random), up(n * k, random), bias(2 * columns, random);
  const Floats c(m * n), sums(kSumsPerThread);
  Panels panels{.n = n, .k = k, .gated = true};
  const Buffer memory(panels.bytes());
  panels.data = memory.data();
  panels.pack(table, {.data = gate.get(), .rows = n, .columns = k}, 0, 2);
  panels.pack(table, {.data = up.get(), .rows = n, .columns = k}, 1, 2);
  const Linear op{.weight = panels,
                  .a = a.get(),
                  .a_stride = k,
                  .rows = m,
                  .c = c.get(),
                  .c_stride = n,
                  .bias = random.below(2) ? bias.get() : nullptr,
                  .activation = Activation::kRelu,
                  .sums = sums.get()};
  const int64_t pairs = panels.count() / 2, middle = random.between(0, pairs);
  linear(table, op.of_panels({0, 2 * middle}));
  linear(table, op.of_panels({2 * middle, 2 * pairs}));
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const int64_t at = j / kLanes * 2 * kLanes + j % kLanes;
      double sum[2] = {0, 0}, size[2] = {0, 0};
      for (int side = 0; side < 2; ++side) {
        for (int64_t l = 0; l < k; ++l) {
          const double w = static_cast<double>((side ? up : gate)[j * k + l]);
          sum[side] += static_cast<double>(a[i * k + l]) * w;
          size[side] += std::abs(static_cast<double>(a[i * k + l]) * w);
        }
        if (op.bias) sum[side] += static_cast<double>(bias[at + side * kLanes]);
        size[side] += 1.0;  // no bias is larger
      }
      const double exact = std::max(0.0, sum[0]) * sum[1];
      const double error = std::abs(static_cast<double>(c[i * n + j]) - exact);
      expect(error <= 8 * kUnit * (size[0] * (std::abs(sum[1]) + size[1]) + std::abs(exact)), "gated product");
    }
  }
}

// A batch, its factors in either order and some of them shared: bit by bit what one thread makes of it.
void several_products(const KernelTable& table, Random& random) {
  const int64_t count = random.between(1, 6), m = random.between(1, 30), n = random.between(1, 50);
  const int64_t k = random.below(8) == 0 ? random.between(3000, 3200) : random.between(0, 70);
  const int64_t shared_a = random.between(1, 3), shared_b = random.between(1, 3);
  const Floats a(((count - 1) / shared_a + 1) * m * k, random), b(((count - 1) / shared_b + 1) * k * n, random);
  const Floats alone(count * m * n), together(count * m * n);
  Matmul op{m, n, k, {k, 1}, {n, 1}, n, {}};
  if (random.below(2)) op.a = {1, m};
  if (random.below(2)) op.b = {1, k};
  const auto run = [&](const Floats& c, int threads) {
    op.products.clear();
    for (int64_t i = 0; i < count; ++i) {
      op.products.push_back({a.get() + i / shared_a * m * k, b.get() + i / shared_b * k * n, c.get() + i * m * n});
    }
    matmul_parallel(table, op, threads);
  };
  run(alone, 1);
  run(together, static_cast<int>(random.between(2, 4)));
  expect(alone.same_bits(together), "products on several threads differ from those on one");
  for (int64_t i = 0; i < count * m * n; ++i) {
    const int64_t product = i / (m * n), row = i / n % m, column = i % n;
    double sum = 0, size = 0;
    for (int64_t l = 0; l < k; ++l) {
      const double x = static_cast<double>(a[product / shared_a * m * k + row * op.a.row + l * op.a.column]) *
                       static_cast<double>(b[product / shared_b * k * n + l * op.b.row + column * op.b.column]);
      sum += x;
      size += std::abs(x);
    }
    expect(std::abs(static_cast<double>(alone[i]) - sum) <= 8 * kUnit * size, "one of several products");
  }
}

}  // namespace

int main() {
  return trial::on_every_level(400, [](const KernelTable& table, Random& random) {
    one_product(table, random);
    one_gated_product(table, random);
    several_products(table, random);
  });
}
