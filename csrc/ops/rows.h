// Operations that treat rows independently, on several threads.
#pragma once

#include "kernels/table.h"

namespace polysemy {

void norm_parallel(const KernelTable& kernels, const NormTask& task, int threads);
void softmax_parallel(const KernelTable& kernels, const RowsTask& task, int threads);
void l2_normalize_parallel(const KernelTable& kernels, const RowsTask& task, int threads);
void elements_parallel(const KernelTable& kernels, const ElementsTask& task, int threads);
void embed_parallel(const KernelTable& kernels, const EmbedTask& task, int threads);
void rotary_parallel(const KernelTable& kernels, const RotaryTask& task, int threads);
// task.x, task.out and task.rows are set per sequence: rows offsets[i] to offsets[i + 1] give row i of out.
void pool_parallel(const KernelTable& kernels, const PoolTask& task, const int64_t* offsets, int64_t sequences,
                   int threads);

}  // namespace polysemy
