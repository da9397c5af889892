// The largest numbers of many rows.
#pragma once

#include <cstdint>

namespace polysemy {

// What is known of the k largest products of each query, and the products with further rows of a corpus.
struct Largest {
  const float* products;  // [rows, queries]
  int64_t rows, queries;
  int64_t first;    // number of the first of these rows
  float* best;      // [queries, k], largest first; NaN comes after all numbers
  int64_t* places;  // [queries, k]: their rows; -1 where there was none so far
  int64_t k;        // at least 1
};

// Takes the products into the best so far. Of equal ones the earlier row comes first.
void keep_largest(const Largest& task, int threads);

}  // namespace polysemy
