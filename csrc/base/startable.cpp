#include "base/startable.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#endif

namespace polysemy {

#if defined(__unix__) || defined(__APPLE__)
namespace {

// Address space that must be left beside the stacks: for what the process does next.
constexpr size_t kReserve = size_t{64} << 20;

struct Probe {
  pthread_t thread;
  long id;
  pthread_mutex_t* gate;
};

void* wait_at_gate(void* argument) {
  Probe& probe = *static_cast<Probe*>(argument);
#if defined(__linux__)
  probe.id = syscall(SYS_gettid);
#endif
  pthread_mutex_lock(probe.gate);
  pthread_mutex_unlock(probe.gate);
  return nullptr;
}

bool reserve_is_there() {
  void* memory = mmap(nullptr, kReserve, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  munmap(memory, kReserve);
  return true;
}

// A thread that was joined still counts against the limits until the kernel has let go of it.
void wait_until_gone([[maybe_unused]] const Probe& probe) {
#if defined(__linux__)
  constexpr int most_turns = 10'000;  // its number may be another thread's by now
  const long process = getpid();
  for (int turn = 0; turn < most_turns && syscall(SYS_tgkill, process, probe.id, 0) == 0; ++turn) sched_yield();
#endif
}

// The size of stacks that OMP_STACKSIZE asks for: "512", "512k", "4 M"; 0 where it says nothing.
size_t openmp_stack() {
  for (const char* name : {"OMP_STACKSIZE", "GOMP_STACKSIZE"}) {
    const char* text = std::getenv(name);
    if (!text) continue;
    char* unit = nullptr;
    const unsigned long long number = std::strtoull(text, &unit, 10);
    while (*unit == ' ') ++unit;
    const int shift = *unit == 'B' || *unit == 'b'   ? 0
                      : *unit == 'M' || *unit == 'm' ? 20
                      : *unit == 'G' || *unit == 'g' ? 30
                                                     : 10;
    if (number > 0 && number < (1ull << 33)) return static_cast<size_t>(number << shift);
  }
  return 0;
}

}  // namespace

int startable_threads(int wanted) noexcept {
  if (wanted <= 0) return 0;
  const std::unique_ptr<Probe[]> probes(new (std::nothrow) Probe[static_cast<size_t>(wanted)]);
  pthread_attr_t attributes;
  if (!probes || pthread_attr_init(&attributes) != 0) return 0;
  if (const size_t stack = openmp_stack()) pthread_attr_setstacksize(&attributes, stack);
  size_t stack = 0;
  pthread_attr_getstacksize(&attributes, &stack);

  sigset_t all, before;  // signals are for the threads that stay
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&gate);
  int made = 0;
  for (; made < wanted; ++made) {
    Probe& probe = probes[static_cast<size_t>(made)];
    probe.gate = &gate;
    if (pthread_create(&probe.thread, &attributes, wait_at_gate, &probe) != 0) break;
  }
  const bool room = reserve_is_there();
  pthread_mutex_unlock(&gate);
  for (int i = 0; i < made; ++i) pthread_join(probes[static_cast<size_t>(i)].thread, nullptr);
  for (int i = 0; i < made; ++i) wait_until_gone(probes[static_cast<size_t>(i)]);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_mutex_destroy(&gate);
  pthread_attr_destroy(&attributes);
  if (room) return made;
  return std::max(0, made - 1 - static_cast<int>(kReserve / std::max<size_t>(stack, size_t{64} << 10)));
}

#else

int startable_threads(int wanted) noexcept { return std::max(0, wanted); }

#endif

}  // namespace polysemy
