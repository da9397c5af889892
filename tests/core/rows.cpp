// Row operations of random sizes, against float64 where a few lines say what is right.
#include "ops/rows.h"

#include <vector>

#include "trial.h"

namespace {

using namespace polysemy;
using namespace trial;

void one_softmax(const KernelTable& table, Random& random, int64_t rows, int64_t columns, int threads) {
  const Floats x(rows * columns, random, 5.0f), out(rows * columns), unit(rows * columns);
  softmax_parallel(table, {x.get(), out.get(), columns, columns, rows, columns}, threads);
  l2_normalize_parallel(table, {x.get(), unit.get(), columns, columns, rows, columns}, threads);
  for (int64_t i = 0; i < rows; ++i) {
    double sum = 0, squares = 0;
    for (int64_t j = 0; j < columns; ++j) {
      sum += static_cast<double>(out[i * columns + j]);
      squares += std::pow(static_cast<double>(unit[i * columns + j]), 2);
    }
    const double bound = 8 * kUnit * static_cast<double>(columns + 1);
    expect(columns == 0 || std::abs(sum - 1) <= bound, "softmax");
    expect(columns == 0 || std::abs(squares - 1) <= bound, "l2_normalize");
  }
}

void one_norm(const KernelTable& table, Random& random, int64_t rows, int64_t columns, int threads) {
  const Floats x(rows * columns, random, 9.0f), residual(rows * columns, random), out(rows * columns);
  const Floats weight(columns, random), bias(columns, random);
  NormTask task{};
  task.x = x.get();
  task.residual = random.below(2) ? residual.get() : nullptr;
  task.weight = random.below(2) ? weight.get() : nullptr;
  task.bias = random.below(2) ? bias.get() : nullptr;
  task.out = out.get();
  task.x_stride = task.residual_stride = task.out_stride = task.columns = columns;
  task.rows = rows;
  task.eps = 1e-5f;
  task.rms = random.below(2) == 0;
  norm_parallel(table, task, threads);
  for (int64_t i = 0; i < rows; ++i) {
    std::vector<double> row;
    double mean = 0, variance = 0;
    for (int64_t j = 0; j < columns; ++j) {
      row.push_back(static_cast<double>(x[i * columns + j]) +
                    (task.residual ? static_cast<double>(residual[i * columns + j]) : 0.0));
      mean += row.back() / static_cast<double>(columns);
    }
    if (task.rms) mean = 0;
    for (const double value : row) variance += (value - mean) * (value - mean) / static_cast<double>(columns);
    for (int64_t j = 0; j < columns; ++j) {
      const double w = task.weight ? static_cast<double>(weight[j]) : 1.0;
      const double b = task.bias ? static_cast<double>(bias[j]) : 0.0;
      const double scale = std::abs(w) / std::sqrt(variance + 1e-5);
      const double exact = (row[static_cast<size_t>(j)] - mean) * w / std::sqrt(variance + 1e-5) + b;
      // Rows are below 10 in size: x + residual and x - mean each round once at that size.
      const double bound = 8 * kUnit * (10 * scale + std::abs(exact) + std::abs(b));
      expect(std::abs(static_cast<double>(out[i * columns + j]) - exact) <= bound, "layer_norm");
    }
  }
}

void one_embed(const KernelTable& table, Random& random, int64_t rows, int64_t columns, int threads) {
  const Floats tokens(30 * columns, random), places(9 * columns, random), out(rows * columns);
  Block<int32_t> ids(rows), positions(rows);
  for (int64_t i = 0; i < rows; ++i) {
    ids[i] = static_cast<int32_t>(random.below(30));
    positions[i] = static_cast<int32_t>(random.below(9));
  }
  EmbedTask task{};
  task.ids = ids.get();
  task.positions = positions.get();
  task.tokens = {.data = tokens.get()};
  task.position_table = {.data = places.get()};
  task.scale = 1.0f;
  task.out = out.get();
  task.out_stride = task.columns = columns;
  task.rows = rows;
  embed_parallel(table, task, threads);
  for (int64_t i = 0; i < rows * columns; ++i) {
    const int64_t row = i / columns, j = i % columns;
    expect(out[i] == tokens[ids[row] * columns + j] + places[positions[row] * columns + j], "embed");
  }
}

void one_pool(const KernelTable& table, Random& random, int64_t rows, int64_t columns, int threads) {
  const Floats x(rows * columns, random);
  std::vector<int64_t> offsets{0};
  while (offsets.back() < rows) offsets.push_back(std::min(rows, offsets.back() + random.below(20)));
  const int64_t sequences = static_cast<int64_t>(offsets.size()) - 1;
  const Floats out(sequences * columns);
  for (int mode = 0; mode <= static_cast<int>(Pooling::kLast); ++mode) {
    pool_parallel(table, {x.get(), out.get(), columns, 0, columns, static_cast<Pooling>(mode)}, offsets.data(),
                  sequences, threads);
    for (int64_t i = 0; i < out.size(); ++i) expect(std::abs(out[i]) <= 20.0f, "pool");  // at most 20 rows below 1
  }
}

void one_elements(const KernelTable& table, Random& random, int64_t count, int threads) {
  const Floats x(count, random, 90.0f), out(count);
  for (int kind = 0; kind <= static_cast<int>(Activation::kSigmoid); ++kind) {
    elements_parallel(table, {x.get(), out.get(), count, static_cast<Activation>(kind)}, threads);
    for (int64_t i = 0; i < count; ++i) expect(!std::isnan(out[i]), std::string("activation ") + kActivationNames[kind]);
  }
}

void one_rotary(const KernelTable& table, Random& random, int64_t rows, int threads) {
  const int64_t heads = random.between(1, 3), half = random.between(1, 40);
  const Floats x(rows * heads * half * 2, random), out(x.size()), angles(rows * half, random, 3.0f);
  const Floats cosine(rows * half), sine(rows * half);
  for (int64_t i = 0; i < angles.size(); ++i) cosine[i] = std::cos(angles[i]), sine[i] = std::sin(angles[i]);
  const int64_t dim = 2 * half, row = heads * dim;
  rotary_parallel(table,
                  {.x = x.get(),
                   .out = out.get(),
                   .x_row = row,
                   .x_head = dim,
                   .out_row = row,
                   .out_head = dim,
                   .cosine = cosine.get(),
                   .sine = sine.get(),
                   .angle_stride = half,
                   .rows = rows,
                   .heads = heads,
                   .dim = dim},
                  threads);
  for (int64_t i = 0; i < rows * heads; ++i) {
    for (int64_t j = 0; j < half; ++j) {
      const int64_t first = i * half * 2 + j, second = first + half;
      const float before = std::hypot(x[first], x[second]), after = std::hypot(out[first], out[second]);
      expect(std::abs(before - after) <= 8 * static_cast<float>(kUnit) * before, "rotary keeps lengths");
    }
  }
}

void one_of_each(const KernelTable& table, Random& random) {
  const int64_t rows = random.between(0, 40);
  const int64_t columns = random.below(6) == 0 ? random.between(300, 600) : random.between(1, 70);
  const int threads = static_cast<int>(random.between(1, 4));
  one_softmax(table, random, rows, columns, threads);
  one_norm(table, random, rows, columns, threads);
  one_embed(table, random, rows, columns, threads);
  one_pool(table, random, rows, columns, threads);
  one_elements(table, random, rows * columns, threads);
  one_rotary(table, random, rows, threads);
}

}  // namespace

int main() { return trial::on_every_level(100, one_of_each); }
