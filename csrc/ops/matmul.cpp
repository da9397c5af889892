#include "ops/matmul.h"

#include <algorithm>
#include <functional>

#include "base/buffer.h"
#include "base/parallel.h"
#include "kernels/layout.h"
#include "ops/blocking.h"

namespace polysemy {
namespace {

// The part of k that is packed at once: whole blocks of the kernel's sum. Most products have less.
constexpr int64_t kPackedK = 16 * kBlockK;
// Floats of B that a thread packs at once: 4 MB. A is read again for every such part.
constexpr int64_t kPackedFloats = int64_t{1} << 20;
// Packing a value costs tens of multiplications; it pays from about this many rows on.
constexpr int64_t kRowsPerPacking = 768;
// Units per thread: enough to keep all threads busy to the end.
constexpr int64_t kUnitsPerThread = 4;
// Below this many multiplications, waking a thread costs more than the work it saves.
constexpr int64_t kWorkPerThread = int64_t{1} << 17;

// Neighbouring rows of C that share a B.
struct Piece {
  const float *a, *b;
  float* c;
  int64_t rows, a_stride, c_stride;
};

// Appends the rows of another piece where they continue those of this one.
bool joined(Piece& piece, const Piece& next) {
  if (piece.b != next.b) return false;
  if (piece.rows == 1) {  // one row has no stride yet
    const int64_t a_stride = next.a - piece.a, c_stride = next.c - piece.c;
    if (a_stride < 0 || c_stride < 0 || (next.rows > 1 && (a_stride != next.a_stride || c_stride != next.c_stride)))
      return false;
    piece.a_stride = a_stride;
    piece.c_stride = c_stride;
  } else {
    const bool same = next.rows == 1 || (next.a_stride == piece.a_stride && next.c_stride == piece.c_stride);
    if (!same || next.a - piece.a != piece.rows * piece.a_stride || next.c - piece.c != piece.rows * piece.c_stride)
      return false;
  }
  piece.rows += next.rows;
  return true;
}

// Pieces in the order of their B, none longer than `most` rows.
std::vector<Piece> pieces_of(const Matmul& op, int64_t most) {
  std::vector<Matmul::Product> products = op.products;
  const auto by_b = [](const auto& p, const auto& q) { return std::less<const float*>()(p.b, q.b); };
  if (!std::is_sorted(products.begin(), products.end(), by_b)) std::stable_sort(products.begin(), products.end(), by_b);
  std::vector<Piece> whole;
  for (const auto& p : products) {
    const Piece piece{.a = p.a, .b = p.b, .c = p.c, .rows = op.rows, .a_stride = op.a.row, .c_stride = op.c_stride};
    if (whole.empty() || !joined(whole.back(), piece)) whole.push_back(piece);
  }
  std::vector<Piece> pieces;
  for (const Piece& p : whole) {
    for (int64_t row = 0; row < p.rows; row += most) {
      Piece piece = p;
      piece.a += row * p.a_stride;
      piece.c += row * p.c_stride;
      piece.rows = std::min(most, p.rows - row);
      pieces.push_back(piece);
    }
  }
  return pieces;
}

// Ranges of pieces that one thread computes with one packed B: about `most` rows each.
std::vector<Range> units_of(const std::vector<Piece>& pieces, int64_t most) {
  std::vector<Range> units;
  int64_t rows = 0;
  for (int64_t i = 0; i < static_cast<int64_t>(pieces.size()); ++i) {
    const Piece& piece = pieces[static_cast<size_t>(i)];
    if (units.empty() || pieces[static_cast<size_t>(i - 1)].b != piece.b || rows + piece.rows > most) {
      units.push_back({i, i});
      rows = 0;
    }
    units.back().last = i + 1;
    rows += piece.rows;
  }
  return units;
}

// One thread's part of the scratch memory.
class Worker {
 public:
  Worker(const KernelTable& kernels, const Matmul& op, const Stop& stop, float* packed, float* a)
      : products_(products_of(kernels, Precision::kFloat32)), op_(op), stop_(stop), packed_(packed), a_(a) {}

  void run(const Piece* first, const Piece* last, Range panels) const {
    const int64_t column = panels.first * kLanes;
    const int64_t columns = std::min(op_.columns, panels.last * kLanes) - column;
    for (int64_t k = 0; k < op_.k && !stop_(); k += kPackedK) {
      const Range part{k, std::min(k + kPackedK, op_.k)};
      pack(first->b + column * op_.b.column + k * op_.b.row, columns, part.last - part.first);
      for (const Piece* piece = first; piece != last; ++piece) multiply(*piece, column, columns, part);
    }
  }

 private:
  void pack(const float* b, int64_t columns, int64_t k) const {
    const int64_t panels = round_up(columns, kLanes) / kLanes;
    if (op_.b.row == 1) {
      return products_.pack({.weight = b,
                             .dtype = DType::kFloat32,
                             .weight_stride = op_.b.column,
                             .packed = packed_,
                             .panel_stride = panel_bytes(Precision::kFloat32, k),
                             .rows = columns,
                             .k = k});
    }
    for (int64_t i = 0; i < k; ++i) {
      const float* row = b + i * op_.b.row;
      for (int64_t panel = 0; panel < panels; ++panel, row += kLanes * op_.b.column) {
        float* to = packed_ + (panel * k + i) * kLanes;
        const int64_t n = std::min(kLanes, columns - panel * kLanes);
        if (n == kLanes && op_.b.column == 1) {
          std::copy_n(row, kLanes, to);
        } else {
          for (int64_t j = 0; j < kLanes; ++j) to[j] = j < n ? row[j * op_.b.column] : 0.0f;
        }
      }
    }
  }

  void multiply(const Piece& piece, int64_t column, int64_t columns, Range part) const {
    const int64_t k = part.last - part.first;
    const bool in_place = op_.a.column == 1 || op_.k == 1;
    GemmTask task{};
    task.a_stride = in_place ? piece.a_stride : k;
    task.panels = packed_;
    task.panel_stride = panel_bytes(Precision::kFloat32, k);
    task.c_stride = piece.c_stride;
    task.columns = columns;
    task.k = k;
    task.first = part.first == 0;
    task.last = part.last == op_.k;
    for (int64_t row = 0; row < piece.rows && !stop_(); row += kBlockRows) {
      task.rows = std::min(kBlockRows, piece.rows - row);
      const float* a = piece.a + row * piece.a_stride + part.first * op_.a.column;
      task.a = in_place ? a : contiguous(a, piece.a_stride, task.rows, k);
      task.c = piece.c + row * piece.c_stride + column;
      products_.gemm(task);
    }
  }

  // A copy with contiguous rows.
  const float* contiguous(const float* a, int64_t stride, int64_t rows, int64_t k) const {
    constexpr int64_t strip = 32;  // cache lines of a transposed A that stay in L1 until all their values are used
    for (int64_t first = 0; first < k; first += strip) {
      const int64_t last = std::min(first + strip, k);
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t i = first; i < last; ++i) a_[row * k + i] = a[row * stride + i * op_.a.column];
      }
    }
    return a_;
  }

  const GemmSlot& products_;
  const Matmul& op_;
  const Stop& stop_;
  float *packed_, *a_;
};

}  // namespace

void matmul_parallel(const KernelTable& kernels, const Matmul& op, int threads) {
  if (op.rows == 0 || op.columns == 0 || op.products.empty()) return;
  if (op.k == 0) {  // an empty sum
    const Stop stop;
    for (const auto& product : op.products) {
      if (stop()) return;
      for (int64_t row = 0; row < op.rows; ++row) std::fill_n(product.c + row * op.c_stride, op.columns, 0.0f);
    }
    return;
  }
  const int64_t all_rows = op.rows * static_cast<int64_t>(op.products.size());
  const double work = static_cast<double>(all_rows) * static_cast<double>(op.columns) * static_cast<double>(op.k);
  const int64_t team = std::max<int64_t>(1, static_cast<int64_t>(std::min<double>(threads, work / kWorkPerThread)));
  const int64_t wanted = team == 1 ? 1 : kUnitsPerThread * team;
  const int64_t most = std::max(kRowsPerPacking, all_rows / wanted);
  const std::vector<Piece> pieces = pieces_of(op, most);
  const std::vector<Range> units = units_of(pieces, most);

  const int64_t packed_k = std::min(op.k, kPackedK), panels = round_up(op.columns, kLanes) / kLanes;
  const int64_t count = static_cast<int64_t>(units.size());
  const int64_t width =
      std::clamp<int64_t>(std::min(kPackedFloats / (kLanes * packed_k), panels * count / wanted), 1, panels);
  const int64_t widths = (panels + width - 1) / width;
  const int64_t packed_size = width * kLanes * packed_k;
  const int64_t a_rows = op.a.column == 1 || op.k == 1 ? 0 : std::min(kBlockRows, all_rows);
  const int64_t size = packed_size + round_up(a_rows * packed_k, kLanes);
  const Buffer scratch = Buffer::of<float>(size * team);
  Queue queue(count * widths);
  const Stop stop;
  parallel(static_cast<int>(team), [&](int thread, int) {
    float* memory = scratch.data<float>() + thread * size;
    const Worker worker(kernels, op, stop, memory, memory + packed_size);
    for (int64_t i; queue.next(i);) {
      const Range unit = units[static_cast<size_t>(i / widths)];
      const int64_t panel = i % widths * width;
      worker.run(pieces.data() + unit.first, pieces.data() + unit.last, {panel, std::min(panel + width, panels)});
    }
  });
}

}  // namespace polysemy
