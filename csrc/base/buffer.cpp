#include "base/buffer.h"

#include <cstdlib>
#include <limits>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif
#if defined(_WIN32)
#include <malloc.h>
#endif

namespace polysemy {
namespace {

// Buffers of at least this many bytes start on a huge page: fewer page faults at load, fewer TLB misses after it.
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kCacheLine = 64;

}  // namespace

Buffer::Buffer(int64_t floats) : size_(floats) {
  constexpr size_t most = std::numeric_limits<size_t>::max() / sizeof(float) - kHugePage;
  if (floats < 0 || static_cast<uint64_t>(floats) > most) throw std::bad_alloc();
  if (floats == 0) return;
  const size_t bytes = static_cast<size_t>(floats) * sizeof(float);
  const size_t alignment = bytes >= kHugePage ? kHugePage : kCacheLine;
  const size_t rounded = (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
#if defined(_WIN32)
  data_ = static_cast<float*>(_aligned_malloc(rounded, alignment));
#else
  void* p = nullptr;
  if (posix_memalign(&p, alignment, rounded) == 0) data_ = static_cast<float*>(p);
#endif
  if (!data_) throw std::bad_alloc();
#if defined(__linux__)
  if (bytes >= kHugePage) madvise(data_, rounded / kHugePage * kHugePage, MADV_HUGEPAGE);  // advice: may be refused
#endif
}

void leave_pages([[maybe_unused]] const void* begin, [[maybe_unused]] size_t bytes) {
#if defined(__linux__)
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(begin);
  const uintptr_t first = (address + page - 1) / page * page, last = (address + bytes) / page * page;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
#endif
}

Buffer::~Buffer() {
#if defined(_WIN32)
  _aligned_free(data_);
#else
  std::free(data_);
#endif
}

}  // namespace polysemy
