#include "ops/rows.h"

#include <algorithm>

#include "base/parallel.h"

namespace polysemy {
namespace {

// Below this many values, waking a thread costs more than the work it saves.
constexpr int64_t kValuesPerThread = 16384;

// Values between two looks at whether to stop: about a millisecond.
constexpr int64_t kValuesPerStep = int64_t{1} << 20;

// Calls f(first, count) with each thread's part of the rows, in steps.
template <class F>
void each_part(int64_t rows, int64_t columns, int threads, F f) {
  const int64_t useful = std::max<int64_t>(1, rows * columns / kValuesPerThread);
  const int64_t step = std::max<int64_t>(1, kValuesPerStep / std::max<int64_t>(1, columns));
  const Stop stop;
  parallel(static_cast<int>(std::min<int64_t>({threads, useful, std::max<int64_t>(1, rows)})),
           [&](int thread, int team) {
             const Range part = share(rows, thread, team);
             for (int64_t first = part.first; first < part.last && !stop(); first += step) {
               f(first, std::min(step, part.last - first));
             }
           });
}

template <class T>
T* at(T* p, int64_t offset) {
  return p ? p + offset : nullptr;
}

RowsTask part_of(RowsTask task, int64_t first, int64_t count) {
  task.x += first * task.x_stride;
  task.out += first * task.out_stride;
  task.rows = count;
  return task;
}

}  // namespace

void norm_parallel(const KernelTable& kernels, const NormTask& task, int threads) {
  each_part(task.rows, task.columns, threads, [&](int64_t first, int64_t count) {
    NormTask part = task;
    part.x += first * task.x_stride;
    part.out += first * task.out_stride;
    part.residual = at(task.residual, first * task.residual_stride);
    part.rows = count;
    kernels.norm(part);
  });
}

void softmax_parallel(const KernelTable& kernels, const RowsTask& task, int threads) {
  each_part(task.rows, task.columns, threads,
            [&](int64_t first, int64_t count) { kernels.softmax(part_of(task, first, count)); });
}

void l2_normalize_parallel(const KernelTable& kernels, const RowsTask& task, int threads) {
  each_part(task.rows, task.columns, threads,
            [&](int64_t first, int64_t count) { kernels.l2_normalize(part_of(task, first, count)); });
}

void elements_parallel(const KernelTable& kernels, const ElementsTask& task, int threads) {
  each_part(task.count, 1, threads, [&](int64_t first, int64_t count) {
    kernels.elements({task.x + first, task.out + first, count, task.kind});
  });
}

void embed_parallel(const KernelTable& kernels, const EmbedTask& task, int threads) {
  each_part(task.rows, task.columns, threads, [&](int64_t first, int64_t count) {
    EmbedTask part = task;
    part.ids += first;
    part.types = at(task.types, first);
    part.positions = at(task.positions, first);
    part.out += first * task.out_stride;
    part.rows = count;
    kernels.embed(part);
  });
}

void rotary_parallel(const KernelTable& kernels, const RotaryTask& task, int threads) {
  each_part(task.rows, task.heads * task.dim, threads, [&](int64_t first, int64_t count) {
    RotaryTask part = task;
    part.x += first * task.x_row;
    part.out += first * task.out_row;
    part.cosine += first * task.angle_stride;
    part.sine += first * task.angle_stride;
    part.rows = count;
    kernels.rotary(part);
  });
}

void pool_parallel(const KernelTable& kernels, const PoolTask& task, const int64_t* offsets, int64_t sequences,
                   int threads) {
  const int64_t rows = sequences ? offsets[sequences] : 0;
  const int64_t useful = std::max<int64_t>(1, rows * task.columns / kValuesPerThread);
  Queue queue(sequences);
  parallel(static_cast<int>(std::min<int64_t>({threads, useful, std::max<int64_t>(1, sequences)})), [&](int, int) {
    for (int64_t i; queue.next(i);) {
      PoolTask part = task;
      part.x = task.x + offsets[i] * task.x_stride;
      part.out = task.out + i * task.columns;
      part.rows = offsets[i + 1] - offsets[i];
      kernels.pool(part);
    }
  });
}

}  // namespace polysemy
