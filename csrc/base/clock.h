// Time for decisions that need not be exact.
#pragma once

#include <cstdint>

#if defined(__linux__)
#include <time.h>
#else
#include <chrono>
#endif

namespace polysemy {

// Milliseconds since some moment, a few late at most. Costs nanoseconds.
inline int64_t coarse_milliseconds() {
#if defined(__linux__)
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
#else
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
#endif
}

}  // namespace polysemy
