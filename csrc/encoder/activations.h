// Rows of activations, and who of a team may touch them without waiting for the others.
//
// All threads of a team run the same steps. A step touches a buffer by a split: each thread only its own part, or the
// whole of it. A thread may go on as long as what it reads was written by itself, and what it writes was read by nobody
// else since the team last met. So barriers follow from the splits: a step waits exactly if it needs another split than
// the buffer has.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "base/parallel.h"

namespace polysemy {

enum class Split : unsigned {
  kNone = 0,
  kRows = 1,     // a share of the rows
  kColumns = 2,  // a share of the panels of all rows
  kHeads = 4,    // a share of the heads of all rows
  kAny = 8,      // whatever each thread needs: never the same part twice
};

struct Activations {
  float* data = nullptr;
  int64_t stride = 0;
  Split written = Split::kNone;  // since the team last met
  unsigned read = 0;             // the splits by which it was read since then

  float* row(int64_t i) const { return data + i * stride; }
};

struct Access {
  Activations& buffer;
  Split split;
  bool writes;
};
inline Access reads(Activations& buffer, Split split) { return {buffer, split, false}; }
inline Access writes(Activations& buffer, Split split) { return {buffer, split, true}; }

// One thread's place in a team, and the buffers that the team shares.
class Member {
 public:
  static constexpr int kBuffers = 9;

  Member(int thread, int team, Barrier& barrier) : thread_(thread), team_(team), barrier_(barrier) {}
  Member(const Member&) = delete;

  int thread() const { return thread_; }
  int team() const { return team_; }
  int64_t waits() const { return waits_; }
  bool stopped() const { return !go_on_; }  // as the team found it when it last met: all leave, or none
  Range share_of(int64_t count) const { return share(count, thread_, team_); }
  Activations& buffer(int i) { return buffers_[i]; }

  // Declares what the next step touches, and waits if that is not all this thread's own.
  void step(std::initializer_list<Access> accesses) {
    bool wait = false;
    for (const Access& a : accesses) wait = wait || conflicts(a);
    if (wait) meet();
    for (const Access& a : accesses) {
      if (a.writes) {
        a.buffer.written = a.split;
      } else {
        a.buffer.read |= static_cast<unsigned>(a.split);
      }
    }
  }

  // Waits until all threads of the team are here; then everything belongs to everybody.
  void meet() {
    go_on_ = barrier_.wait(team_);
    ++waits_;
    for (Activations& b : buffers_) {
      b.written = Split::kNone;
      b.read = 0;
    }
  }

 private:
  static bool conflicts(const Access& a) {
    const Activations& b = a.buffer;
    const bool own = a.split != Split::kAny;
    if (b.written != Split::kNone && !(own && b.written == a.split)) return true;
    const unsigned same = own ? static_cast<unsigned>(a.split) : 0;
    return a.writes && (b.read & ~same) != 0;
  }

  const int thread_, team_;
  Barrier& barrier_;
  int64_t waits_ = 0;
  bool go_on_ = true;
  Activations buffers_[kBuffers];
};

}  // namespace polysemy
