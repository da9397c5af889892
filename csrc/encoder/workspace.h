// Scratch memory of forward passes, kept between calls so that a short text doesn't pay for page faults.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <new>
#include <utility>

#include "base/buffer.h"

namespace polysemy {

// Without a lock, which a fork could leave closed for ever: a fork in the middle costs the child one buffer at most.
class WorkspacePool {
 public:
  WorkspacePool() = default;
  WorkspacePool(const WorkspacePool&) = delete;
  WorkspacePool& operator=(const WorkspacePool&) = delete;
  ~WorkspacePool() {
    for (Place& place : places_) delete place.exchange(nullptr);
  }

  // A buffer of at least this size: an idle one if it is large enough, a new one otherwise. The new one is to find a
  // place when it comes back, so an idle one that was too small goes: four short texts would fill all places for good.
  Buffer take(int64_t bytes) {
    if (bytes > kMostKept) return Buffer(bytes);
    std::unique_ptr<Buffer> small;
    for (Place& place : places_) {
      if (!place.load(std::memory_order_relaxed)) continue;
      std::unique_ptr<Buffer> idle(place.exchange(nullptr, std::memory_order_acquire));
      if (!idle) continue;
      if (idle->bytes() >= bytes) {
        if (small) put(place, small);
        return std::move(*idle);
      }
      if (small) {
        put(place, idle);
      } else {
        small = std::move(idle);
      }
    }
    small.reset();  // before the memory of the new one is asked for
    return Buffer(bytes);
  }

  void give_back(Buffer buffer) noexcept {
    if (buffer.bytes() > kMostKept) return;
    std::unique_ptr<Buffer> idle(new (std::nothrow) Buffer(std::move(buffer)));
    for (Place& place : places_) {
      if (!idle) return;
      put(place, idle);
    }
  }

 private:
  using Place = std::atomic<Buffer*>;

  static constexpr int64_t kMostKept = int64_t{64} << 20;  // bytes; larger ones go back to the system
  static constexpr size_t kMostIdle = 4;                   // as many calls may overlap without allocating

  static void put(Place& place, std::unique_ptr<Buffer>& idle) noexcept {
    Buffer* nothing = nullptr;
    if (place.compare_exchange_strong(nothing, idle.get(), std::memory_order_release, std::memory_order_relaxed)) {
      static_cast<void>(idle.release());
    }
  }

  std::array<Place, kMostIdle> places_{};
};

}  // namespace polysemy
