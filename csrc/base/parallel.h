// Threads. parallel.cpp is the only file that knows OpenMP.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/cpu.h"
#include "base/float_mode.h"

namespace polysemy {

// Threads of a call that does not say: set_num_threads of this process; without it the default of base/cpu.h, or what
// omp_set_num_threads (which threadpoolctl calls) allows the calling thread, if that is less. Nothing is written there.
int get_num_threads();
ThreadCount thread_count();        // the same with its reason
int set_num_threads(int threads);  // 0 resets; gives the setting before, 0 where there was none

// Resolves a caller's num_threads: 0 = get_num_threads(), otherwise the number itself; throws if negative or absurd.
int resolve_threads(int64_t num_threads);

// The OpenMP runtime that this was built for: "libgomp" or "libomp".
const char* openmp_version();

namespace detail {
void run(int threads, void (*body)(void*, int, int), void* context);
}

// Calls f(thread, threads) on each thread of a team, in the default floating-point mode. The team may be smaller than
// asked for; f must not throw.
template <class F>
void parallel(int threads, F&& f) {
  if (threads <= 1) {
    const FloatMode mode;
    return f(0, 1);
  }
  detail::run(
      threads, [](void* context, int thread, int team) { (*static_cast<F*>(context))(thread, team); }, &f);
}

// Splits [0, count) evenly: the part of one thread, half open.
struct Range {
  int64_t first, last;
};
inline Range share(int64_t count, int thread, int threads) {
  return {count * thread / threads, count * (thread + 1) / threads};
}

// Threads take the next index until none is left. For tasks of different length.
class Queue {
 public:
  explicit Queue(int64_t count) : count_(count) {}
  bool next(int64_t& index) {
    index = next_.fetch_add(1, std::memory_order_relaxed);
    return index < count_;
  }

 private:
  std::atomic<int64_t> next_{0};
  int64_t count_;
};

// Waits until all threads of the team have arrived: spins for a moment, then lets others run.
class Barrier {
 public:
  void wait(int threads);

 private:
  std::atomic<int> arrived_{0};
  std::atomic<int> generation_{0};
};

}  // namespace polysemy
