// Threads. parallel.cpp is the only file that knows OpenMP.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/cpu.h"
#include "base/float_mode.h"
#include "base/interrupt.h"

namespace polysemy {

// Threads of a call that does not say: set_num_threads of this process; without it the default of base/cpu.h for the
// CPUs that the calling thread may use now (a change is seen within some milliseconds), or what omp_set_num_threads
// (which threadpoolctl calls) allows it, if that is less. Nothing is written there.
int get_num_threads();
ThreadCount thread_count();           // the same with its reason
ThreadCount standard_thread_count();  // what it is when nobody set anything
int set_num_threads(int threads);     // 0 resets; gives the setting before, 0 where there was none

// Resolves a caller's num_threads: 0 = get_num_threads(), otherwise the number itself; throws if negative or absurd.
int resolve_threads(int64_t num_threads);

// The OpenMP runtime that this was built for: "libgomp" or "libomp".
const char* openmp_version();

namespace detail {
void run(int threads, void (*body)(void*, int, int), void* context);
}

// Calls f(thread, threads) on each thread of a team, in the default floating-point mode. The team may be smaller than
// asked for, as where threads can't be made; f must not throw.
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

// Threads take the next index until none is left or the call is stopped. For tasks of different length. Made by the
// thread that makes the call.
class Queue {
 public:
  explicit Queue(int64_t count) : count_(count) {}
  bool next(int64_t& index) {
    if (stop_()) return false;
    index = next_.fetch_add(1, std::memory_order_relaxed);
    return index < count_;
  }

 private:
  std::atomic<int64_t> next_{0};
  int64_t count_;
  Stop stop_;
};

// Waits until all threads of the team have arrived: spins for a moment, then lets others run. Made by the thread that
// makes the call, or from its Stop.
class Barrier {
 public:
  explicit Barrier(const Stop& stop = {}) : stop_(stop) {}

  // Whether to go on: false once the call is stopped. All threads get the same answer, so that they may leave together.
  bool wait(int threads);

 private:
  std::atomic<int> arrived_{0};
  std::atomic<int> generation_{0};
  Stop stop_;
  bool go_on_ = true;  // written by the last to arrive, before it opens
};

}  // namespace polysemy
