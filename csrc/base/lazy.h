// A value that is made when it is first asked for.
#pragma once

#include <atomic>
#include <memory>

namespace polysemy {

// Threads that come first at the same time each make one, and one of these stays: there is no lock that a fork could
// leave closed. The value is never destroyed: daemon threads may read it while the process ends. Static storage only.
template <class T>
class Lazy {
 public:
  template <class Make>
  const T& get(Make&& make) {
    if (const T* value = value_.load(std::memory_order_acquire)) return *value;
    auto fresh = std::make_unique<const T>(make());
    const T* expected = nullptr;
    if (value_.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel)) return *fresh.release();
    return *expected;
  }

 private:
  std::atomic<const T*> value_{nullptr};
};

}  // namespace polysemy
