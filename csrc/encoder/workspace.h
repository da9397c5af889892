// Scratch memory of forward passes, kept between calls so that a short text doesn't pay for page faults.
#pragma once

#include <mutex>
#include <vector>

#include "base/buffer.h"

namespace polysemy {

class WorkspacePool {
 public:
  // A buffer of at least this size: an idle one if it is large enough, a new one otherwise.
  Buffer take(int64_t bytes) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (Buffer& idle : idle_) {
        if (idle.bytes() < bytes) continue;
        Buffer found = std::move(idle);
        idle = std::move(idle_.back());
        idle_.pop_back();
        return found;
      }
    }
    return Buffer(bytes);
  }

  void give_back(Buffer buffer) {
    if (buffer.bytes() > kMostKept) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.size() < kMostIdle) idle_.push_back(std::move(buffer));
  }

 private:
  static constexpr int64_t kMostKept = int64_t{64} << 20;  // bytes; larger ones go back to the system
  static constexpr size_t kMostIdle = 4;                   // as many calls may overlap without allocating

  std::mutex mutex_;
  std::vector<Buffer> idle_;
};

}  // namespace polysemy
