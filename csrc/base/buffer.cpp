#include "base/buffer.h"

#include <cstdlib>
#include <limits>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
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

Buffer::Buffer(int64_t bytes) : bytes_(bytes) {
  constexpr uint64_t most = std::numeric_limits<size_t>::max() - kHugePage;
  if (bytes < 0 || static_cast<uint64_t>(bytes) > most) throw std::bad_alloc();
  if (bytes == 0) return;
  const size_t size = static_cast<size_t>(bytes);
  const size_t alignment = size >= kHugePage ? kHugePage : kCacheLine;
  const size_t rounded = (size + kCacheLine - 1) / kCacheLine * kCacheLine;
#if defined(_WIN32)
  data_ = _aligned_malloc(rounded, alignment);
#else
  if (posix_memalign(&data_, alignment, rounded) != 0) data_ = nullptr;
#endif
  if (!data_) throw std::bad_alloc();
#if defined(__linux__)
  if (size >= kHugePage) madvise(data_, rounded / kHugePage * kHugePage, MADV_HUGEPAGE);  // advice: may be refused
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
