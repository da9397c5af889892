// Calls that end early when somebody asks for it, as with Ctrl-C.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace polysemy {

// Made by the thread whose call it is, around the work. While the work runs, this thread asks every 20 ms or so whether
// to go on. One thread of a process makes such calls, also within each other.
class InterruptibleCall {
 public:
  using Ask = bool (*)(void* context);  // true: stop

  InterruptibleCall(Ask ask, void* context);
  ~InterruptibleCall();
  InterruptibleCall(const InterruptibleCall&) = delete;
  InterruptibleCall& operator=(const InterruptibleCall&) = delete;

  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

 private:
  friend class Stop;
  bool poll() { return stopped() || (std::this_thread::get_id() == owner_ && due_and_asked()); }
  bool due_and_asked();

  Ask ask_;
  void* context_;
  std::thread::id owner_;
  int64_t due_;  // only the owner's
  std::atomic<bool> stopped_{false};
  InterruptibleCall* outer_;
};

// What the threads of a call look at between two pieces of work. Made by the thread whose call it is; copies may go
// anywhere. After true it stays true, and results are incomplete: whoever made the call throws them away.
class Stop {
 public:
  Stop();
  bool operator()() const { return call_ && call_->poll(); }
  bool possible() const { return call_ != nullptr; }

 private:
  InterruptibleCall* call_;  // null: this call runs to its end
};

}  // namespace polysemy
