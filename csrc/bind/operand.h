// Inputs of any layout whose leading axes broadcast. As in arrays.h nothing is converted or copied.
#pragma once

#include <vector>

#include "bind/arrays.h"

namespace polysemy {

using Shape = std::vector<int64_t>;

// An array of T: its last `inner` axes belong to every problem, those before them broadcast to the batch. Missing axes
// count as axes of size one, whose stride is 0; all strides are in elements and may be negative.
template <class T>
class Operand {
 public:
  Operand(const py::handle& object, const char* operation, const char* name, int inner)
      : array_(checked(object, operation, name)), operation_(operation), name_(name), inner_(inner) {}

  const T* data() const { return static_cast<const T*>(array_.data()); }

  // Axes counted from the last one, which is 1.
  int64_t extent(int axis) const {
    const int64_t i = array_.ndim() - axis;
    return i < 0 ? 1 : array_.shape(i);
  }
  int64_t stride(int axis) const {
    return extent(axis) == 1 ? 0 : array_.strides(array_.ndim() - axis) / static_cast<py::ssize_t>(sizeof(T));
  }

  // Throws unless the axis has this size (or, where it may repeat, size one).
  void expect(int axis, int64_t size, bool repeats = false) const {
    require(extent(axis) == size || (repeats && extent(axis) == 1), operation_, ": ", name_, " must have ", size,
            " elements along axis -", axis, ", got shape ", shape_text(array_));
  }
  void expect_contiguous_rows() const {
    require(extent(1) <= 1 || stride(1) == 1 || array_.size() == 0, operation_, ": ", name_,
            " must have contiguous rows");
  }

  // Where each problem's part begins; throws if the leading axes don't broadcast to the batch.
  std::vector<const T*> starts(const Shape& batch) const {
    const int axes = static_cast<int>(batch.size());
    require(array_.ndim() - inner_ <= axes, operation_, ": ", name_, " must have at most ", axes + inner_,
            " axes, got shape ", shape_text(array_));
    std::vector<const T*> result{data()}, longer;
    for (int i = 0; i < axes; ++i) {
      const int axis = inner_ + axes - i;
      const int64_t size = batch[static_cast<size_t>(i)], step = stride(axis);
      expect(axis, size, true);
      if (size == 1) continue;
      longer.clear();
      longer.reserve(result.size() * static_cast<size_t>(size));
      for (const T* start : result) {
        for (int64_t n = 0; n < size; ++n) longer.push_back(start + n * step);
      }
      result.swap(longer);
    }
    return result;
  }

 private:
  static py::array checked(const py::handle& object, const char* operation, const char* name) {
    const py::array a = array_of<T>(object, operation, name);
    constexpr int aligned = py::detail::npy_api::NPY_ARRAY_ALIGNED_;
    require((a.flags() & aligned) != 0, operation, ": ", name, " must be aligned");
    for (py::ssize_t i = 0; i < a.ndim(); ++i) {
      require(a.shape(i) <= 1 || a.strides(i) % static_cast<py::ssize_t>(sizeof(T)) == 0, operation, ": ", name,
              " must have strides of whole elements");
    }
    return a;
  }

  py::array array_;
  const char *operation_, *name_;
  int inner_;
};

// The output that belongs to such operands: C-contiguous, its leading axes are the batch.
struct Target {
  float* data = nullptr;
  int64_t size = 0;
  Shape batch, shape;  // shape: of the last `inner` axes, those that miss having size one

  Target(const py::handle& object, const char* operation, const char* name, int inner) {
    const py::array a = array_of<float>(object, operation, name);
    data = contiguous_data<float>(a, operation, name);
    size = a.size();
    for (py::ssize_t i = 0; i < a.ndim() - inner; ++i) batch.push_back(a.shape(i));
    for (py::ssize_t i = a.ndim() - inner; i < a.ndim(); ++i) shape.push_back(i < 0 ? 1 : a.shape(i));
  }

  // Another output for the same batch with its own last axes; null for None.
  float* beside(const py::handle& object, const char* operation, const char* name, const Shape& last) const {
    if (object.is_none()) return nullptr;
    const Target other(object, operation, name, static_cast<int>(last.size()));
    require(other.batch == batch && other.shape == last, operation, ": ", name, " does not fit the shape of out");
    return other.data;
  }
};

}  // namespace polysemy
