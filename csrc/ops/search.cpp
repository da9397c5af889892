#include "ops/search.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"

namespace polysemy {
namespace {

// Queries that are looked at together: a cache line of products. Few of these are among the largest, so that one
// comparison serves them all.
constexpr int64_t kTogether = 16;

// Rows between two looks at whether to stop.
constexpr int64_t kRowsPerStep = 4096;

bool better(float a, float b) { return a > b || (std::isnan(b) && !std::isnan(a)); }

// The list of one query.
struct List {
  float* best;
  int64_t* places;
  int64_t k;

  bool full() const { return places[k - 1] >= 0; }
  void take(float value, int64_t place) {
    int64_t i = full() ? k - 1 : std::find(places, places + k, int64_t{-1}) - places;
    for (; i > 0 && better(value, best[i - 1]); --i) {
      best[i] = best[i - 1];
      places[i] = places[i - 1];
    }
    best[i] = value;
    places[i] = place;
  }
};

void keep_some(const Largest& t, int64_t first, int64_t count, const Stop& stop) {
  List lists[kTogether];
  float least[kTogether] = {};  // what a product has to exceed
  bool open = false;            // whether a list takes anything: it is not full, or has a NaN
  const auto look = [&] {
    open = false;
    for (int64_t q = 0; q < count; ++q) {
      least[q] = lists[q].best[t.k - 1];
      open = open || !lists[q].full() || std::isnan(least[q]);
    }
  };
  for (int64_t q = 0; q < count; ++q) lists[q] = {t.best + (first + q) * t.k, t.places + (first + q) * t.k, t.k};
  look();
  for (int64_t row = 0; row < t.rows; ++row) {
    if (row % kRowsPerStep == 0 && stop()) return;
    const float* products = t.products + row * t.queries + first;
    bool any = open;
    for (int64_t q = 0; q < count; ++q) any |= products[q] > least[q];
    if (!any) continue;
    for (int64_t q = 0; q < count; ++q) {
      if (!lists[q].full() || better(products[q], least[q])) lists[q].take(products[q], t.first + row);
    }
    look();
  }
}

}  // namespace

void keep_largest(const Largest& task, int threads) {
  const int64_t parts = (task.queries + kTogether - 1) / kTogether;
  const int team = static_cast<int>(std::min<int64_t>(threads, std::max<int64_t>(1, parts)));
  const Stop stop;
  parallel(team, [&](int thread, int members) {
    const Range mine = share(parts, thread, members);
    for (int64_t part = mine.first; part < mine.last; ++part) {
      const int64_t first = part * kTogether;
      keep_some(task, first, std::min(kTogether, task.queries - first), stop);
    }
  });
}

}  // namespace polysemy
