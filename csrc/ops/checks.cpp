#include "ops/checks.h"

#include <algorithm>

#include "base/check.h"

namespace polysemy {
namespace {

// The operation whose arguments are checked.
struct Checked {
  const char* operation;

  void size(const char* name, int64_t value) const {
    require(value >= 0, operation, ": ", name, " must be 0 or more, got ", value);
  }

  void eps(float value) const { require(value >= 0.0f, operation, ": eps must be 0 or more, got ", value); }

  void differs(const void* out, const void* input, const char* out_name, const char* name) const {
    require(out == nullptr || out != input, operation, ": ", out_name, " must not be the same array as ", name);
  }

  // In place, a row that moves would be read after it was overwritten.
  void in_place(const char* name, const float* input, int64_t stride, const float* out, int64_t out_stride,
                int64_t rows) const {
    require(input == nullptr || input != out || stride == out_stride || rows <= 1, operation,
            ": out is the same array as ", name, ", so that both must have the same stride, got ", out_stride, " and ",
            stride);
  }
};

}  // namespace

void validate(const char* operation, const Attention& op) {
  const Checked checked{operation};
  checked.size("heads", op.heads);
  checked.size("kv_heads", op.kv_heads);
  checked.size("dim", op.dim);
  checked.size("value_dim", op.value_dim);
  require(op.dim <= kMostFeatures, operation, ": dim must be at most ", kMostFeatures, ", got ", op.dim);
  require(op.value_dim <= kMostFeatures, operation, ": value_dim must be at most ", kMostFeatures, ", got ",
          op.value_dim);
  require(op.kv_heads > 0 ? op.heads % op.kv_heads == 0 : op.heads == 0, operation,
          ": heads must be a multiple of kv_heads, got ", op.heads, " and ", op.kv_heads);
  for (const AttentionSequence& sequence : op.sequences) {
    checked.size("queries", sequence.queries);
    checked.size("keys", sequence.keys);
    if (op.heads == 0 || sequence.queries == 0 || op.value_dim == 0) continue;
    checked.differs(sequence.out, sequence.query, "out", "query");
    checked.differs(sequence.out, sequence.key, "out", "key");
    checked.differs(sequence.out, sequence.value, "out", "value");
  }
}

void validate(const char* operation, const Linear& op) {
  const Checked checked{operation};
  checked.size("rows", op.rows);
  if (op.rows == 0 || op.weight.n == 0) return;
  checked.differs(op.c, op.a, "out", "x");
  checked.differs(op.c, op.residual, "out", "residual");
}

void validate(const char* operation, const Matmul& op) {
  const Checked checked{operation};
  checked.size("m", op.rows);
  checked.size("n", op.columns);
  checked.size("k", op.k);
  if (op.rows == 0 || op.columns == 0) return;
  for (const Matmul::Product& product : op.products) {
    checked.differs(product.c, product.a, "c", "a");
    checked.differs(product.c, product.b, "c", "b");
  }
}

void validate(const char* operation, const NormTask& task) {
  const Checked checked{operation};
  checked.size("rows", task.rows);
  checked.size("columns", task.columns);
  checked.eps(task.eps);
  checked.in_place("x", task.x, task.x_stride, task.out, task.out_stride, task.rows);
  checked.in_place("residual", task.residual, task.residual_stride, task.out, task.out_stride, task.rows);
}

void validate(const char* operation, const RowsTask& task) {
  const Checked checked{operation};
  checked.size("rows", task.rows);
  checked.size("columns", task.columns);
  checked.in_place("x", task.x, task.x_stride, task.out, task.out_stride, task.rows);
}

void validate(const char* operation, const ElementsTask& task) { Checked{operation}.size("count", task.count); }

void validate(const char* operation, const EmbedTask& task) {
  const Checked checked{operation};
  checked.size("rows", task.rows);
  checked.size("columns", task.columns);
  checked.eps(task.eps);
  require(!task.positions == !task.position_table.data, operation,
          ": positions and position_table must be given together");
  require(!task.types || task.type_table.data, operation, ": types need a type_table");
}

void validate(const char* operation, const RotaryTask& task) {
  const Checked checked{operation};
  checked.size("rows", task.rows);
  checked.size("heads", task.heads);
  checked.size("dim", task.dim);
  require(task.dim % 2 == 0, operation, ": dim must be even, got ", task.dim);
}

void validate(const char* operation, const PoolTask& task) {
  const Checked checked{operation};
  checked.size("columns", task.columns);
  if (task.columns) checked.differs(task.out, task.x, "out", "x");
}

void validate_offsets(const char* operation, const char* name, const int64_t* offsets, int64_t sequences,
                      int64_t rows) {
  require(offsets[0] >= 0, operation, ": ", name, "[0] must be 0 or more, got ", offsets[0]);
  for (int64_t i = 0; i < sequences; ++i) {
    require(offsets[i] <= offsets[i + 1], operation, ": ", name, " must not decrease, got ", offsets[i], " and then ",
            offsets[i + 1], " at ", i + 1);
  }
  require(offsets[sequences] <= rows, operation, ": ", name, " must end at ", rows, " at most, got ",
          offsets[sequences]);
}

void validate_ids(const char* operation, const char* name, const int32_t* ids, int64_t count, int64_t rows) {
  // Without a branch, so that several are compared at once; without their sign, negative ids are large ones.
  const auto limit = static_cast<uint32_t>(std::clamp<int64_t>(rows, 0, int64_t{1} << 31));
  uint32_t outside = 0;
  for (int64_t i = 0; i < count; ++i) outside |= static_cast<uint32_t>(static_cast<uint32_t>(ids[i]) >= limit);
  if (outside == 0) return;
  for (int64_t i = 0; i < count; ++i) {
    require(ids[i] >= 0 && ids[i] < rows, operation, ": ", name, "[", i, "] must be 0 to ", rows - 1, ", got ", ids[i]);
  }
}

}  // namespace polysemy
