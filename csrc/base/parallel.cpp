#include "base/parallel.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/startable.h"

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

// A wait of milliseconds may end so many microseconds late.
constexpr int64_t kLongWait = 20;
constexpr int64_t kNap = 200;

// CPUs are counted again after so many milliseconds.
constexpr int64_t kRecount = 10;

// Threads of the team that the OpenMP runtime keeps for the calling thread: those of its last region.
thread_local int pool_threads = 1;

// One thread at a time finds out whether threads can be made and has them made.
std::mutex growth;

// Ends the threads of the calling thread's team; its next region makes new ones.
void drop_pool() {
  if (pool_threads > 1 && omp_pause_resource_all(omp_pause_hard) == 0) pool_threads = 1;
}

#if defined(__unix__) || defined(__APPLE__)
// libgomp's worker threads don't exist in a forked child, and its pool would wait for them for ever. Dropping the pool
// before the fork makes parent and child both start a new one when they need it. Registered while the library is
// loaded: a lock around it would itself have to survive forks.
[[maybe_unused]] const int survives_fork = pthread_atfork(
    [] {
      if (omp_pause_resource_all(omp_pause_hard) == 0) pool_threads = 1;  // also where others have made the pool
      growth.lock();
    },
    [] { growth.unlock(); }, [] { growth.unlock(); });
#endif

// A runtime that binds threads to places has bound the initial one before anybody could ask for its mask.
std::vector<int> usable_cpus() {
  const int places = omp_get_num_places();
  if (omp_get_proc_bind() == omp_proc_bind_false || places == 0) return affinity();
  std::vector<int> cpus;
  for (int place = 0; place < places; ++place) {
    const size_t before = cpus.size();
    cpus.resize(before + static_cast<size_t>(omp_get_place_num_procs(place)));
    omp_get_place_proc_ids(place, cpus.data() + before);
  }
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus.empty() ? affinity() : cpus;
}

struct Counted {
  int64_t due = 0;
  uint64_t cpus = 0;  // a hash of them
  int threads = 0;
};

void count_again(Counted& counted, int64_t now) {
  const std::vector<int> cpus = usable_cpus();
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const int cpu : cpus) hash = (hash ^ static_cast<uint64_t>(cpu)) * 1099511628211u;
  counted.due = now + kRecount;
  if (counted.threads > 0 && hash == counted.cpus) return;
  if (counted.threads > 0) drop_pool();  // its threads have the mask of before
  counted.cpus = hash;
  counted.threads = default_thread_count(cpus).threads;
}

// What the calling thread would use if nobody asked for anything else.
int standard_threads() {
  thread_local Counted counted;
  const int64_t now = coarse_milliseconds();
  if (now >= counted.due) count_again(counted, now);
  return counted.threads;
}

// How many threads of a team can be had where `present` are there.
int possible_threads(int threads, int present) {
  if (threads > present) threads = present + startable_threads(threads - present);
  // What the runtime allocates for a team of another size: it ends the process where that fails.
  const size_t memory = (size_t{256} << 10) + static_cast<size_t>(threads) * 1024;
  void* sample = std::malloc(memory);
  std::free(sample);
  return sample ? threads : 1;
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

// The thread that makes a call waits for the others here and not in the OpenMP runtime, so that it goes on asking
// whether to stop: otherwise nobody would while another thread has the last piece of work.
void watch(const std::atomic<int>& finished, int others, const Stop& stop) {
  const int64_t start = coarse_milliseconds();
  for (int spins = 0; finished.load(std::memory_order_acquire) < others; ++spins) {
    if (spins < kSpins) {
      pause();
    } else if (stop(); coarse_milliseconds() - start < kLongWait) {
      let_others_run();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(kNap));
    }
  }
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
  ThreadCount standard = standard_thread_count();
  if (limit < standard.threads) return {limit, "limit of the OpenMP runtime (omp_set_num_threads, threadpoolctl)"};
  return standard;
}

ThreadCount standard_thread_count() { return default_thread_count(usable_cpus()); }

int get_num_threads() {
  const int chosen = chosen_threads.load(std::memory_order_relaxed);
  return chosen > 0 ? chosen : std::min(standard_threads(), omp_get_max_threads());
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
  // Within a region (in a signal's handler, or a caller's own) there is no pool: mostly this thread is alone.
  const bool nested = omp_in_parallel() != 0, alone = nested && omp_get_active_level() >= omp_get_max_active_levels();
  const int present = nested ? 1 : pool_threads;
  std::unique_lock<std::mutex> growing(growth, std::defer_lock);
  if (!alone && threads != present) {
    growing.lock();
    threads = possible_threads(threads, present);
  }
  if (threads == 1) {
    if (growing.owns_lock()) growing.unlock();
    const FloatMode mode;
    return body(context, 0, 1);
  }
  if (!nested) pool_threads = threads;
  const Stop stop;
  std::atomic<int> finished{0};
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    if (thread == 0 && growing.owns_lock()) growing.unlock();  // all threads were made
    const FloatMode mode;
    const int team = omp_get_num_threads();
    body(context, thread, team);
    if (thread > 0) {
      finished.fetch_add(1, std::memory_order_release);
    } else if (stop.possible()) {
      watch(finished, team - 1, stop);
    }
  }
}

}  // namespace detail

bool Barrier::wait(int threads) {
  const bool stopped = stop_();
  if (threads == 1) return !stopped;
  const int generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads - 1) {
    const bool go_on = !stop_();
    go_on_ = go_on;
    arrived_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    return go_on;
  }
  for (int spins = 0; generation_.load(std::memory_order_acquire) == generation; ++spins) {
    if (spins < kSpins) {
      pause();
    } else {
      let_others_run();
    }
  }
  return go_on_;
}

}  // namespace polysemy
