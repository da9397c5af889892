// Calls that are stopped: teams leave together, queues end, barriers give every thread the same answer.
#include "base/interrupt.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "base/parallel.h"
#include "encoder/workspace.h"
#include "trial.h"

namespace {

using namespace polysemy;

// Says "stop" when it is asked for the first time.
bool at_once(void* asked) {
  ++*static_cast<int*>(asked);
  return true;
}

void queue_and_barrier(int threads) {
  int asked = 0;
  InterruptibleCall call(at_once, &asked);
  const Stop stop;
  trial::expect(stop.possible() && !stop(), "a call begins unstopped");
  Queue queue(int64_t{1} << 62);
  Barrier barrier(stop);
  std::vector<int64_t> rounds(static_cast<size_t>(threads), 0);
  parallel(threads, [&](int thread, int team) {
    for (int64_t i; queue.next(i);) {
    }
    for (int layer = 0; layer < 1000; ++layer) {
      if (!barrier.wait(team)) return;
      ++rounds[static_cast<size_t>(thread)];
    }
  });
  trial::expect(asked == 1 && call.stopped() && stop(), "asked once, then stopped for good");
  for (const int64_t n : rounds) trial::expect(n == 0, "a stopped team goes on nowhere");
}

void together(int threads) {
  int asked = 0;
  InterruptibleCall call(at_once, &asked);
  const Stop stop;
  Barrier barrier(stop);
  std::vector<int64_t> rounds(static_cast<size_t>(threads), 0);
  int members = 0;
  parallel(threads, [&](int thread, int team) {
    if (thread == 0) members = team;
    while (barrier.wait(team)) ++rounds[static_cast<size_t>(thread)];
  });
  for (int i = 1; i < members; ++i) {
    trial::expect(rounds[static_cast<size_t>(i)] == rounds[0], "all threads leave at the same barrier");
  }
}

// The thread that makes the call has nothing to do: it must ask all the same.
void others_work(int threads) {
  int asked = 0;
  InterruptibleCall call(at_once, &asked);
  const Stop stop;
  parallel(threads, [&](int thread, int team) {
    while (thread == team - 1 && !stop()) {
    }
  });
  trial::expect(call.stopped(), "asked while another thread works");
}

void only_its_own_thread() {
  int asked = 0;
  InterruptibleCall call(at_once, &asked);
  std::thread([&] { trial::expect(!Stop().possible(), "calls of other threads go on"); }).join();
  {
    int inner_asked = 0;
    const InterruptibleCall inner(at_once, &inner_asked);
    trial::expect(Stop().possible() && !inner.stopped(), "a call within a call");
  }
  trial::expect(Stop().possible(), "the outer call is back");
}

void workspaces() {
  WorkspacePool pool;
  std::atomic<int64_t> wrong{0};
  std::vector<std::thread> team;
  for (int thread = 0; thread < 6; ++thread) {
    team.emplace_back([&, thread] {
      for (int64_t i = 0; i < 20'000; ++i) {
        const int64_t bytes = 64 * (1 + (i * (thread + 1)) % 50);
        Buffer buffer = pool.take(bytes);
        auto* words = buffer.data<int64_t>();
        std::fill_n(words, bytes / 8, thread * 1'000'000 + i);
        for (int64_t w = 0; w < bytes / 8; ++w) wrong += words[w] != thread * 1'000'000 + i;
        wrong += buffer.bytes() < bytes;
        pool.give_back(std::move(buffer));
      }
    });
  }
  for (std::thread& thread : team) thread.join();
  trial::expect(wrong == 0, "a workspace belongs to one call");
}

void larger_workspaces() {
  WorkspacePool pool;
  const int64_t small = 4096, large = int64_t{1} << 20;
  for (int i = 0; i < 10; ++i) pool.give_back(Buffer(small));  // more than there are places
  pool.give_back(pool.take(2 * large));
  trial::expect(pool.take(large).bytes() == 2 * large, "a larger workspace takes the place of a small one");
  trial::expect(pool.take(1).bytes() == small, "small ones keep the other places");
}

}  // namespace

int main() {
  for (const int threads : {1, 2, 3, 5}) {
    queue_and_barrier(threads);
    together(threads);
    others_work(threads);
  }
  only_its_own_thread();
  workspaces();
  larger_workspaces();
  trial::expect(!Stop().possible(), "no call, nothing to stop");
  return 0;
}
