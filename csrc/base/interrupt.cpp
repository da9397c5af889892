#include "base/interrupt.h"

#include <algorithm>

#include "base/clock.h"
#include "base/float_mode.h"

namespace polysemy {
namespace {

constexpr int64_t kInterval = 20;  // milliseconds between two questions
constexpr int64_t kLongest = 60;
// A question waits for the interpreter's lock where other threads are busy: all questions together take one part in
// this many of the time.
constexpr int64_t kShare = 10;

// In a child of a fork this may be the call of a thread that does not exist there, whose owner is nobody.
std::atomic<InterruptibleCall*> current{nullptr};

}  // namespace

InterruptibleCall::InterruptibleCall(Ask ask, void* context)
    : ask_(ask),
      context_(context),
      owner_(std::this_thread::get_id()),
      due_(coarse_milliseconds() + kInterval),
      outer_(current.exchange(this, std::memory_order_acq_rel)) {}

InterruptibleCall::~InterruptibleCall() { current.store(outer_, std::memory_order_release); }

bool InterruptibleCall::due_and_asked() {
  const int64_t start = coarse_milliseconds();
  if (start < due_) return false;
  const FloatMode mode;  // whatever runs in ask may set another one for itself
  if (ask_(context_)) stopped_.store(true, std::memory_order_relaxed);
  const int64_t end = coarse_milliseconds();
  due_ = end + std::clamp(kShare * (end - start), kInterval, kLongest);
  return stopped();
}

Stop::Stop() : call_(current.load(std::memory_order_acquire)) {
  if (call_ && call_->owner_ != std::this_thread::get_id()) call_ = nullptr;
}

}  // namespace polysemy
