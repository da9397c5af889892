// What the programs share: reproducible random numbers, blocks of exactly the needed size, and failing loudly.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "dispatch/registry.h"

namespace trial {

// A linear congruential generator (Knuth's MMIX constants); the low bits are dropped.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2654435761u + 1) {}
  uint64_t bits() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return state_ >> 33;
  }
  int64_t below(int64_t n) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(n)); }
  int64_t between(int64_t low, int64_t high) { return low + below(high - low + 1); }
  float value(float scale = 1.0f) { return scale * (static_cast<float>(bits()) * 0x1p-30f - 1.0f); }

 private:
  uint64_t state_;
};

// One block on the heap with nothing to spare behind it.
template <class T>
class Block {
 public:
  explicit Block(int64_t size) : data_(new T[static_cast<size_t>(size)]()), size_(size) {}
  Block(int64_t size, Random& random, float scale = 1.0f) : Block(size) {
    for (int64_t i = 0; i < size; ++i) data_[static_cast<size_t>(i)] = static_cast<T>(random.value(scale));
  }
  T* get() const { return data_.get(); }
  T& operator[](int64_t i) const { return data_[static_cast<size_t>(i)]; }
  int64_t size() const { return size_; }
  bool same_bits(const Block& other) const {
    return size_ == other.size_ && std::memcmp(get(), other.get(), static_cast<size_t>(size_) * sizeof(T)) == 0;
  }

 private:
  std::unique_ptr<T[]> data_;
  int64_t size_;
};

using Floats = Block<float>;

[[noreturn]] inline void fail(const std::string& what) {
  std::fprintf(stderr, "failed: %s\n", what.c_str());
  std::abort();
}

inline void expect(bool ok, const std::string& what) {
  if (!ok) fail(what);
}

inline constexpr double kUnit = 0x1p-24;  // unit roundoff of float32
inline constexpr double kSmallestNormal = 0x1p-126;

// Runs a program's trials on every level that this CPU has; one in TRIALS_DIVISOR of them where that is set, as it is
// on an emulated one.
template <class F>
int on_every_level(int64_t trials, F&& f) {
  if (const char* const divisor = std::getenv("TRIALS_DIVISOR")) {
    expect(std::atoi(divisor) > 0, "TRIALS_DIVISOR must be a positive number");
    trials /= std::atoi(divisor);
  }
  for (const std::string& name : polysemy::usable_isas()) {
    Random random(42);
    for (int64_t i = 0; i < trials; ++i) f(polysemy::kernels(name), random);
    std::printf("%s: %lld trials\n", name.c_str(), static_cast<long long>(trials));
  }
  return 0;
}

}  // namespace trial
