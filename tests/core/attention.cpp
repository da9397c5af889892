// Attention of random shapes and modifiers against float64.
#include "ops/attention.h"

#include <algorithm>
#include <vector>

#include "trial.h"

namespace {

using namespace polysemy;
using namespace trial;

struct Shape {
  int64_t heads, kv_heads, queries, keys, dim, value_dim;
};

double largest(const float* x, int64_t count, int64_t stride = 1) {
  double most = 0;
  for (int64_t i = 0; i < count; ++i) most = std::max(most, std::abs(static_cast<double>(x[i * stride])));
  return most;
}

// Probabilities of one query, in float64, all zero where nothing takes part; reach: the size of its largest score, and
// moved: how far queries and keys that become integers up to 3344 move a score at most.
std::vector<double> probabilities(const Attention& op, const Shape& s, const AttentionSequence& p, int64_t head,
                                  int64_t i, double& reach, double& moved) {
  std::vector<double> scores(static_cast<size_t>(s.keys), -INFINITY);
  const int64_t kv_head = head / (s.heads / s.kv_heads);
  double most = -INFINITY, sum = 0;
  for (int64_t j = 0; j < s.keys; ++j) {
    const bool inside = !op.modifiers.windowed || (j >= i - op.modifiers.left && j <= i + op.modifiers.right);
    if (!inside || (p.keep && !p.keep[i * s.keys + j])) continue;
    const float* const query = p.query + (head * s.queries + i) * s.dim;
    const float* const key = p.key + (kv_head * s.keys + j) * s.dim;
    // A number is off by half a step at most.
    const double of_query = 0.505 * largest(query, s.dim) / 3344, of_key = 0.505 * largest(key, s.dim) / 3344;
    double score = 0, step = 0;
    for (int64_t d = 0; d < s.dim; ++d) {
      const double a = static_cast<double>(query[d]), b = static_cast<double>(key[d]);
      score += a * b;
      step += std::abs(a) * of_key + std::abs(b) * of_query + of_key * of_query;
    }
    score *= static_cast<double>(op.scale);
    moved = std::max(moved, step * static_cast<double>(op.scale));
    if (p.add) score += static_cast<double>(p.add[i * s.keys + j]);
    if (op.alibi_slopes) score -= static_cast<double>(op.alibi_slopes[head]) * static_cast<double>(std::abs(i - j));
    scores[static_cast<size_t>(j)] = score;
    most = std::max(most, score);
    reach = std::max(reach, std::abs(score));
  }
  for (double& x : scores) sum += x = std::exp(x - (most == -INFINITY ? 0 : most));
  for (double& x : scores) x /= sum > 0 ? sum : 1;
  return scores;
}

void check(const Attention& op, const Shape& s, const AttentionSequence& p) {
  for (int64_t head = 0; head < s.heads; ++head) {
    for (int64_t i = 0; i < s.queries; ++i) {
      double reach = 0, moved = 0;
      const std::vector<double> exact = probabilities(op, s, p, head, i, reach, moved);
      // A score is rounded a few times at its size, which is then the relative error of its exponential; the sums of
      // exponentials and of products do the rest.
      // What scores move by is the relative error of exponentials and of their sum.
      const bool integers = op.in == AttentionIn::kIntegers;
      const double shift = integers ? std::expm1(2 * moved) : 0;
      const double bound = (32 + 8 * reach) * kUnit + shift;
      const double likeliest = exact.empty() ? 0 : *std::max_element(exact.begin(), exact.end());
      for (int64_t d = 0; d < s.value_dim; ++d) {
        const float* const values = p.value + head / (s.heads / s.kv_heads) * s.keys * s.value_dim + d;
        double sum = 0, size = 0, all = 0;
        for (int64_t j = 0; j < s.keys; ++j) {
          const double v = static_cast<double>(values[j * s.value_dim]);
          sum += exact[static_cast<size_t>(j)] * v;
          size += exact[static_cast<size_t>(j)] * std::abs(v);
          all += exact[static_cast<size_t>(j)] > 0 ? std::abs(v) : 0;
        }
        // Probabilities are off by 2^-15 of the largest at most, values by half a step of 2047.
        const double steps = 0x1p-15 * likeliest * all + 0.5 / 2047 * largest(values, s.keys, s.value_dim);
        const double error = std::abs(static_cast<double>(p.out[(head * s.queries + i) * s.value_dim + d]) - sum);
        expect(error <= bound * size + (integers ? 1.01 * (1 + shift) * steps : 0),
               "attention of head " + std::to_string(head));
      }
      for (int64_t j = 0; p.weights && j < s.keys; ++j) {
        const double weight = static_cast<double>(p.weights[(head * s.queries + i) * s.keys + j]);
        expect(std::abs(weight - exact[static_cast<size_t>(j)]) <= bound, "weights");
      }
    }
  }
}

void one_attention(const KernelTable& table, Random& random) {
  Shape s{};
  s.kv_heads = random.between(1, 2);
  s.heads = s.kv_heads * random.between(1, 2);
  s.queries = random.between(0, 50);
  s.keys = random.below(20) == 0 ? random.between(500, 1100) : random.between(0, 50);
  s.dim = random.between(1, 40);
  s.value_dim = random.between(1, 40);
  const Floats q(s.heads * s.queries * s.dim, random), k(s.kv_heads * s.keys * s.dim, random);
  const Floats v(s.kv_heads * s.keys * s.value_dim, random), slopes(s.heads, random, 0.1f);
  const Floats add(s.queries * s.keys, random);
  Block<uint8_t> keep(s.queries * s.keys);
  for (int64_t i = 0; i < keep.size(); ++i) keep[i] = random.below(3) > 0;
  const Floats out(s.heads * s.queries * s.value_dim), lse(s.heads * s.queries);
  const Floats weights(s.heads * s.queries * s.keys);

  Attention op{};
  op.heads = s.heads;
  op.kv_heads = s.kv_heads;
  op.dim = s.dim;
  op.value_dim = s.value_dim;
  op.query = {s.queries * s.dim, s.dim};
  op.key = {s.keys * s.dim, s.dim};
  op.value = {s.keys * s.value_dim, s.value_dim};
  op.out = {s.queries * s.value_dim, s.value_dim};
  op.lse = {s.queries, 1};
  op.scale = 1.0f / static_cast<float>(s.dim);
  op.in = static_cast<AttentionIn>(random.below(kAttentions));
  op.modifiers.mask_row = s.keys;
  op.modifiers.mask_column = 1;
  op.modifiers.windowed = random.below(2) == 0;
  op.modifiers.left = random.below(2) ? kUnlimited : random.below(30);
  op.modifiers.right = random.below(2) ? 0 : random.below(30);
  op.alibi_slopes = random.below(2) ? slopes.get() : nullptr;
  AttentionSequence p{};
  p.query = q.get();
  p.key = k.get();
  p.value = v.get();
  p.out = out.get();
  p.queries = s.queries;
  p.keys = s.keys;
  const int64_t masked = random.below(3);
  p.keep = masked == 1 ? keep.get() : nullptr;
  p.add = masked == 2 ? add.get() : nullptr;
  p.weights = random.below(2) ? weights.get() : nullptr;
  p.lse = random.below(2) ? lse.get() : nullptr;
  op.sequences = {p};
  attention_parallel(table, op, static_cast<int>(random.between(1, 4)));
  check(op, s, p);
}

// With queries of zero every probability is one, and what remains are the integers of the values: their mean, block by
// block of keys, to the last digits.
void one_mean(const KernelTable& table, Random& random) {
  constexpr int64_t block = 512, dim = 4;
  const int64_t queries = random.between(1, 30), keys = random.between(1, 1100), width = random.between(1, 40);
  const Floats q(queries * dim, random), k(keys * dim, random), v(keys * width, random), out(queries * width);
  for (int64_t i = 0; i < queries * dim; ++i) q[i] = 0;
  Attention op{};
  op.heads = op.kv_heads = 1;
  op.dim = dim;
  op.value_dim = width;
  op.query.row = op.key.row = dim;
  op.value.row = op.out.row = width;
  op.scale = 1;
  op.in = AttentionIn::kIntegers;
  AttentionSequence p{};
  p.query = q.get();
  p.key = k.get();
  p.value = v.get();
  p.out = out.get();
  p.queries = queries;
  p.keys = keys;
  op.sequences = {p};
  attention_parallel(table, op, 2);
  for (int64_t d = 0; d < width; ++d) {
    double sum = 0, size = 0;
    for (int64_t first = 0; first < keys; first += block) {
      const int64_t count = std::min(block, keys - first);
      const float scale = static_cast<float>(largest(&v[first * width + d], count, width)) * (1.0f / 2047);
      const float inverse = 1.0f / scale;
      for (int64_t j = first; j < first + count; ++j) {
        const double value =
            static_cast<double>(scale) * std::nearbyint(static_cast<double>(v[j * width + d] * inverse));
        sum += value;
        size += std::abs(value);
      }
    }
    for (int64_t i = 0; i < queries; ++i) {
      const double error = std::abs(static_cast<double>(out[i * width + d]) - sum / static_cast<double>(keys));
      expect(error <= 16 * kUnit * size / static_cast<double>(keys), "integers of values");
    }
  }
}

}  // namespace

int main() { return trial::on_every_level(300, one_attention) || trial::on_every_level(50, one_mean); }
