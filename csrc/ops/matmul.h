// Products of pairs of matrices that lie anywhere: C = A B for any number of pairs of one shape.
#pragma once

#include <vector>

#include "kernels/table.h"

namespace polysemy {

// In elements, none of them negative; 0 repeats what is there.
struct MatrixStrides {
  int64_t row, column;
};

struct Matmul {
  struct Product {
    const float *a, *b;
    float* c;
  };

  int64_t rows, columns, k;  // of every product: A[rows, k], B[k, columns], C[rows, columns]
  MatrixStrides a, b;
  int64_t c_stride;  // between rows of C, whose columns follow each other
  std::vector<Product> products;
};

// Memory: for each thread a part of one B and, where the rows of A are not contiguous, of one A; both parts have a
// constant size at most, whatever the shapes. A B that several products share is packed once for all of them, as long
// as there is work for every thread. No C may overlap another one.
void matmul_parallel(const KernelTable& kernels, const Matmul& op, int threads);

}  // namespace polysemy
