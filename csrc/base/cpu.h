// What this processor offers, and how many threads this process should use on it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace polysemy {

struct CpuInfo {
  std::string model;
  std::vector<std::string> features;  // usable ones: the operating system saves their registers, too
  bool slow_bfloat16;                 // vdpbf16ps takes longer than the two multiply-adds that it stands for
  int64_t l1d, l2, l3;                // bytes; 0 = unknown

  bool has(const std::string& feature) const;
};

const CpuInfo& cpu_info();

// More is taken for a mistake: an OpenMP runtime that is asked for a hundred thousand threads ends the process.
constexpr int kMostThreads = 1024;

constexpr int kUnlimitedThreads = std::numeric_limits<int>::max();

// Threads for which the CPU quotas of this process's control groups (v1 and v2, of the group and all above it) have
// time, rounded up; kUnlimitedThreads without a quota. Files are looked for below root.
int cgroup_quota(const std::string& root = "");

struct ThreadCount {
  int threads;
  std::string reason;
};

// The CPUs that the calling thread may run on.
std::vector<int> affinity();

// min(these CPUs, cgroup CPU quota, physical cores), or OMP_NUM_THREADS when that is set; at most kMostThreads.
ThreadCount default_thread_count(const std::vector<int>& cpus);

}  // namespace polysemy
