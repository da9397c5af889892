// What each operation demands of its sizes and options, for every door to it: Python's binding and the C functions.
// Messages begin with `operation`, as its caller knows it. What the memory behind a pointer looks like is for the door
// to check, which alone knows its arrays.
#pragma once

#include "ops/attention.h"
#include "ops/linear.h"
#include "ops/matmul.h"
#include "ops/rows.h"

namespace polysemy {

// The kernel keeps a block of keys and one of values of this width in a core's cache; no model comes near it.
inline constexpr int64_t kMostFeatures = 4096;

// Each throws ArgumentError.
void validate(const char* operation, const Attention& op);
void validate(const char* operation, const Linear& op);
void validate(const char* operation, const Matmul& op);
void validate(const char* operation, const NormTask& task);
void validate(const char* operation, const RowsTask& task);
void validate(const char* operation, const ElementsTask& task);
void validate(const char* operation, const EmbedTask& task);
void validate(const char* operation, const RotaryTask& task);
void validate(const char* operation, const PoolTask& task);

// Sequence i is rows offsets[i] to offsets[i + 1]: 0 or more, never decreasing, at most `rows`.
void validate_offsets(const char* operation, const char* name, const int64_t* offsets, int64_t sequences, int64_t rows);

// Each index is a row of its table.
void validate_ids(const char* operation, const char* name, const int32_t* ids, int64_t count, int64_t rows);

}  // namespace polysemy
