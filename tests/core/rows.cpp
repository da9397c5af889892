// Row operations of random sizes against loops in float64.
#include "ops/rows.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "trial.h"

namespace {

using namespace polysemy;
using namespace trial;

void one_softmax(const KernelTable& table, Random& random, int64_t rows, int64_t columns, int threads) {
  const Floats x(rows * columns, random, random.below(2) ? 5.0f : 90.0f), out(rows * columns);
  softmax_parallel(table, {x.get(), out.get(), columns, columns, rows, columns}, threads);
  for (int64_t i = 0; i < rows; ++i) {
    const float* row = x.get() + i * columns;
    double most = -INFINITY, sum = 0;
    for (int64_t j = 0; j < columns; ++j) most = std::max(most, static_cast<double>(row[j]));
    for (int64_t j = 0; j < columns; ++j) sum += std::exp(static_cast<double>(row[j]) - most);
    for (int64_t j = 0; j < columns; ++j) {
      const double gap = most - static_cast<double>(row[j]), exact = std::exp(-gap) / sum;
      // The exponential, the sum and the quotient round; so does the gap, and exp makes a relative error of that.
      const double bound = kUnit * (8 * static_cast<double>(1 + columns) + 2 * gap) * exact + kSmallestNormal;
      expect(std::abs(static_cast<double>(out[i * columns + j]) - exact) <= bound, "softmax");
    }
  }
}

void one_l2_normalize(const KernelTable& table, Random& random, int64_t rows, int64_t columns, int threads) {
  const Floats x(rows * columns, random), out(rows * columns);
  l2_normalize_parallel(table, {x.get(), out.get(), columns, columns, rows, columns}, threads);
  for (int64_t i = 0; i < rows; ++i) {
    double squares = 0;
    for (int64_t j = 0; j < columns; ++j) squares += std::pow(static_cast<double>(x[i * columns + j]), 2);
    for (int64_t j = 0; j < columns; ++j) {
      const double exact = static_cast<double>(x[i * columns + j]) / std::sqrt(squares);
      // Each of 16 lanes adds a sixteenth of the squares; four levels of their tree, root and quotient add the rest.
      const double bound = kUnit * (8 + static_cast<double>(columns) / kLanes) * std::abs(exact);
      expect(std::abs(static_cast<double>(out[i * columns + j]) - exact) <= bound, "l2_normalize");
    }
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

// One column of one sequence in float64, and the size of what was added up for it.
double pooled(Pooling mode, const std::vector<double>& column, double& size) {
  const double rows = static_cast<double>(column.size());
  double sum = 0, weights = 0, most = -INFINITY;
  for (size_t r = 0; r < column.size(); ++r) {
    const double weight = mode == Pooling::kWeightedMean ? static_cast<double>(r + 1) : 1;
    sum += weight * column[r];
    size += weight * std::abs(column[r]);
    weights += weight;
    most = std::max(most, column[r]);
  }
  size /= weights;
  if (mode == Pooling::kMax) return most;
  if (mode == Pooling::kCls) return column.front();
  if (mode == Pooling::kLast) return column.back();
  return sum / (mode == Pooling::kSqrtLength ? std::sqrt(rows) : weights);
}

void one_pool(const KernelTable& table, Random& random, int64_t rows, int64_t columns, int threads) {
  const Floats x(rows * columns, random);
  std::vector<int64_t> offsets{0};
  while (offsets.back() < rows) offsets.push_back(std::min(rows, offsets.back() + random.below(20)));
  const int64_t sequences = static_cast<int64_t>(offsets.size()) - 1;
  const Floats out(sequences * columns);
  for (const Pooling mode :
       {Pooling::kMean, Pooling::kCls, Pooling::kMax, Pooling::kSqrtLength, Pooling::kWeightedMean, Pooling::kLast}) {
    const bool exactly = mode == Pooling::kCls || mode == Pooling::kMax || mode == Pooling::kLast;
    pool_parallel(table, {x.get(), out.get(), columns, 0, columns, mode}, offsets.data(), sequences, threads);
    for (int64_t i = 0; i < out.size(); ++i) {
      std::vector<double> column;
      for (int64_t r = offsets[static_cast<size_t>(i / columns)]; r < offsets[static_cast<size_t>(i / columns) + 1];
           ++r) {
        column.push_back(static_cast<double>(x[r * columns + i % columns]));
      }
      double size = 0;
      const double exact = column.empty() ? 0 : pooled(mode, column, size);
      // Sums are kept in double, with an error of n units of that; the result is rounded once.
      const double n = static_cast<double>(column.size());
      const double bound = exactly || column.empty() ? 0 : 2 * kUnit * std::abs(exact) + n * n * 0x1p-52 * size;
      expect(std::abs(static_cast<double>(out[i]) - exact) <= bound, "pool " + std::to_string(static_cast<int>(mode)));
    }
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
      const int64_t first = i * half * 2 + j, second = first + half, angle = i / heads * half + j;
      const double a = static_cast<double>(x[first]), b = static_cast<double>(x[second]);
      const double c = static_cast<double>(cosine[angle]), s = static_cast<double>(sine[angle]);
      // Two products and their sum: each rounds once, at no more than the size of both.
      const double one = 3 * kUnit * (std::abs(a * c) + std::abs(b * s)) + kSmallestNormal * kUnit;
      const double other = 3 * kUnit * (std::abs(b * c) + std::abs(a * s)) + kSmallestNormal * kUnit;
      expect(std::abs(static_cast<double>(out[first]) - (a * c - b * s)) <= one, "rotary, first half");
      expect(std::abs(static_cast<double>(out[second]) - (b * c + a * s)) <= other, "rotary, second half");
    }
  }
}

void one_add(const KernelTable& table, Random& random, int64_t rows, int64_t columns) {
  const int64_t stride = columns + random.below(3);
  const Floats x(rows * columns, random), before(rows * stride, random), out(rows * stride);
  for (int64_t i = 0; i < out.size(); ++i) out[i] = before[i];
  table.add(
      {.x = x.get(), .out = out.get(), .x_stride = columns, .out_stride = stride, .rows = rows, .columns = columns});
  for (int64_t i = 0; i < out.size(); ++i) {
    const bool added = i % stride < columns;
    expect(out[i] == before[i] + (added ? x[i / stride * columns + i % stride] : 0.0f), "add");
  }
}

// The value of a float16 or bfloat16 from its bits; infinities and NaN left out.
double value_of(uint16_t bits, int digits) {
  const int bias = (1 << (14 - digits)) - 1, exponent = (bits & 0x7FFF) >> digits;
  const int mantissa = (bits & ((1 << digits) - 1)) + (exponent ? 1 << digits : 0);
  const double size = std::ldexp(mantissa, std::max(exponent, 1) - bias - digits);
  return bits & 0x8000 ? -size : size;
}

void one_widen(const KernelTable& table, Random& random, int64_t count) {
  Block<uint16_t> from(count);
  const Floats to(count);
  for (const auto& [dtype, digits] : {std::pair{DType::kFloat16, 10}, std::pair{DType::kBFloat16, 7}}) {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t sign = random.below(2) << 15, largest = ((int64_t{1} << (15 - digits)) - 1) << digits;
      from[i] = static_cast<uint16_t>(sign | random.below(largest));
    }
    table.widen({.from = from.get(), .dtype = dtype, .to = to.get(), .count = count});
    for (int64_t i = 0; i < count; ++i) {
      expect(static_cast<double>(to[i]) == value_of(from[i], digits), "widen");
    }
  }
}

void one_of_each(const KernelTable& table, Random& random) {
  const int64_t rows = random.between(0, 40);
  const int64_t columns = random.below(6) == 0 ? random.between(300, 600) : random.between(1, 70);
  const int threads = static_cast<int>(random.between(1, 4));
  one_softmax(table, random, rows, columns, threads);
  one_l2_normalize(table, random, rows, columns, threads);
  one_norm(table, random, rows, columns, threads);
  one_embed(table, random, rows, columns, threads);
  one_pool(table, random, rows, columns, threads);
  one_rotary(table, random, rows, threads);
  one_add(table, random, rows, columns);
  one_widen(table, random, rows * columns);
}

}  // namespace

int main() { return trial::on_every_level(100, one_of_each); }
