#include "base/parallel.h"

#include <omp.h>

#include <algorithm>
#include <mutex>

#include "base/check.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#endif

namespace polysemy {
namespace {

std::atomic<int> chosen_threads{0};

// A thread that waits for longer than this many turns of its loop (some tens of microseconds) is probably waiting for
// one that is not running: it gives up its processor.
constexpr int kSpins = 4000;

// libgomp's worker threads don't exist in a forked child, and its pool would wait for them for ever. Dropping the pool
// before the fork makes parent and child both start a new one when they need it.
void survive_fork() {
#if defined(__unix__) || defined(__APPLE__)
  static std::once_flag once;
  std::call_once(once, [] { pthread_atfork([] { omp_pause_resource_all(omp_pause_hard); }, nullptr, nullptr); });
#endif
}

// What this process would use if nobody asked for anything else; found out once.
const ThreadCount& standard() {
  static const ThreadCount count = default_thread_count();
  return count;
}

inline void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

inline void let_others_run() {
#if defined(__unix__) || defined(__APPLE__)
  sched_yield();
#endif
}

}  // namespace

int set_num_threads(int threads) {
  require(threads >= 0 && threads <= kMostThreads, "set_num_threads: n must be 0 (default) to ", kMostThreads, ", got ",
          threads);
  return chosen_threads.exchange(threads, std::memory_order_relaxed);
}

ThreadCount thread_count() {
  const int chosen = chosen_threads.load(std::memory_order_relaxed);
  if (chosen > 0) return {chosen, "set_num_threads"};
  // The variable of this thread that omp_set_num_threads writes. Nobody wrote it: all CPUs of the affinity mask, or
  // OMP_NUM_THREADS, so it is never below the default.
  const int limit = omp_get_max_threads();
  if (limit < standard().threads) return {limit, "limit of the OpenMP runtime (omp_set_num_threads, threadpoolctl)"};
  return standard();
}

int get_num_threads() {
  const int chosen = chosen_threads.load(std::memory_order_relaxed);
  return chosen > 0 ? chosen : std::min(standard().threads, omp_get_max_threads());
}

int resolve_threads(int64_t num_threads) {
  require(num_threads >= 0 && num_threads <= kMostThreads, "num_threads must be 0 (default) to ", kMostThreads,
          ", got ", num_threads);
  return num_threads == 0 ? get_num_threads() : static_cast<int>(num_threads);
}

const char* openmp_version() {
#if defined(__clang__)
  return "libomp";
#elif defined(__GNUC__)
  return "libgomp";
#else
  return "OpenMP";
#endif
}

namespace detail {

void run(int threads, void (*body)(void*, int, int), void* context) {
  survive_fork();
#pragma omp parallel num_threads(threads)
  {
    const FloatMode mode;
    body(context, omp_get_thread_num(), omp_get_num_threads());
  }
}

}  // namespace detail

void Barrier::wait(int threads) {
  if (threads == 1) return;
  const int generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    return;
  }
  for (int spins = 0; generation_.load(std::memory_order_acquire) == generation; ++spins) {
    if (spins < kSpins) {
      pause();
    } else {
      let_others_run();
    }
  }
}

}  // namespace polysemy
