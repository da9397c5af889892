// Products by tiles (csrc/kernels/gemm_tiles.inl.h), whose registers are emulated here, beside those of the level that
// AMX extends: the same bits.
#include <vector>

#include "ops/linear.h"
#include "trial.h"

namespace polysemy {
extern const KernelTable emulated_kernels;
}

namespace {

using namespace polysemy;
using namespace trial;

constexpr int kNotRun = 77;  // what CTest takes for that

// The level that is extended, with these products.
KernelTable with_tiles(const KernelTable& parent) {
  KernelTable table = parent;
  for (int i = 0; i < kPrecisions; ++i) {
    if (emulated_kernels.products[i].gemm) table.products[i] = emulated_kernels.products[i];
  }
  return table;
}

int64_t some_rows(Random& random) { return random.below(6) == 0 ? random.between(180, 250) : random.between(1, 70); }
int64_t some_inputs(Random& random) { return random.below(4) == 0 ? random.between(185, 800) : random.between(0, 70); }

// Numbers that are not finite, very large, or subnormal.
void disturb(const Floats& numbers, Random& random) {
  const float strange[] = {HUGE_VALF, -HUGE_VALF, NAN, 1e4f, -1e30f, 1e-40f, -1e-41f, 0x1p-126f};
  for (int64_t i = random.below(4); i > 0 && numbers.size(); --i) {
    numbers[random.below(numbers.size())] = strange[random.below(8)];
  }
}

void one_product(const KernelTable& parent, const KernelTable& tiles, Random& random) {
  const Precision precision = random.below(2) ? Precision::kInt8 : Precision::kBFloat16;
  const int64_t m = some_rows(random), n = random.between(1, 90), k = some_inputs(random);
  const int64_t columns = round_up(n, kLanes), c_stride = n + random.below(3);
  const Floats a(m * k, random), weight(n * k, random), up(n * k, random), bias(2 * columns, random);
  const Floats residual(m * c_stride, random);
  if (random.below(3) == 0) disturb(a, random);
  const bool gated = random.below(3) == 0;
  Panels panels{.precision = precision, .n = n, .k = k, .gated = gated};
  const Buffer memory(panels.bytes());
  panels.data = memory.data();
  panels.pack(parent, {.data = weight.get(), .rows = n, .columns = k}, 0, gated ? 2 : 1);
  if (gated) panels.pack(parent, {.data = up.get(), .rows = n, .columns = k}, 1, 2);
  Linear op{.weight = panels,
            .rows = m,
            .c_stride = c_stride,
            .bias = random.below(2) ? bias.get() : nullptr,
            .residual = !gated && random.below(2) ? residual.get() : nullptr,
            .residual_stride = c_stride,
            .activation = random.below(2) ? Activation::kGeluErf : Activation::kNone};
  const int64_t unit = gated ? 2 : 1, middle = random.between(0, panels.count() / unit) * unit;
  const auto run = [&](const KernelTable& table) {
    const int64_t stride = prepared_stride(table, precision, k);
    const Floats prepared(m * stride), sums(kSumsPerThread);
    Floats c(m * c_stride);
    for (int64_t i = 0; i < c.size(); ++i) c[i] = NAN;
    prepare(table, precision, a.get(), k, prepared.get(), stride, m, k);
    op.a = prepared.get();
    op.a_stride = stride;
    op.c = c.get();
    op.sums = sums.get();
    linear(table, op.of_panels({0, middle}));
    linear(table, op.of_panels({middle, panels.count()}));
    return c;
  };
  expect(run(parent).same_bits(run(tiles)),
         std::string("product of tiles in ") + kPrecisionNames[static_cast<int>(precision)] + ", " + std::to_string(m) +
             " x " + std::to_string(n) + " x " + std::to_string(k));
}

}  // namespace

int main() {
  const std::string level = "avx512_bf16";
  bool usable = false;
  for (const std::string& name : usable_isas()) usable = usable || name == level;
  if (!usable) {
    std::printf("not run: this CPU lacks AVX-512 with BF16\n");
    return kNotRun;
  }
  const KernelTable& parent = kernels(level);
  const KernelTable tiles = with_tiles(parent);
  constexpr int kTrials = 600;
  Random random(7);
  for (int i = 0; i < kTrials; ++i) one_product(parent, tiles, random);
  std::printf("%d trials\n", kTrials);
  return 0;
}
