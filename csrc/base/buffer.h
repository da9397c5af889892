// Uninitialised memory for packed weights and scratch, on cache-line borders, on huge pages where the system has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace polysemy {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t floats);  // throws std::bad_alloc; the size is checked for overflow
  ~Buffer();
  Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  float* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  float* data_ = nullptr;
  int64_t size_ = 0;
};

// Takes the whole pages in a range of a file that is mapped for reading out of this process's memory. They come back
// from the system's cache when they are read again.
void leave_pages(const void* begin, size_t bytes);

}  // namespace polysemy
