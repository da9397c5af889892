// Uninitialised memory for packed weights and scratch, on cache-line borders, on huge pages where the system has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>

namespace polysemy {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t bytes);  // throws std::bad_alloc, also for a size that no memory has
  ~Buffer();
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  // Memory for count values of T.
  template <class T>
  static Buffer of(int64_t count) {
    if (count < 0 || count > std::numeric_limits<int64_t>::max() / static_cast<int64_t>(sizeof(T))) {
      throw std::bad_alloc();
    }
    return Buffer(count * static_cast<int64_t>(sizeof(T)));
  }

  template <class T = std::byte>
  T* data() const {
    return static_cast<T*>(data_);
  }
  int64_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace polysemy
