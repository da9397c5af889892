// How many threads: the smallest of what the affinity mask, the cgroup quota and the cores allow.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "base/cpu.h"
#include "base/files.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace polysemy {
namespace {

// Two hardware threads of one core share its multipliers: the second one only adds traffic.
int physical_cores(const std::vector<int>& cpus) {
  std::set<std::string> cores;
  for (int cpu : cpus) {
    const std::string siblings =
        first_line("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    cores.insert(siblings.empty() ? std::to_string(cpu) : siblings);
  }
  return static_cast<int>(cores.size());
}

int threads_of_quota(double quota, double period) {
  if (quota <= 0 || period <= 0) return kUnlimitedThreads;
  return std::max(1, static_cast<int>(std::ceil(quota / period)));
}

int quota_v2(const std::string& folder) {
  std::istringstream line(first_line(folder + "/cpu.max"));
  std::string quota;
  double period = 0;
  if (!(line >> quota >> period) || quota == "max") return kUnlimitedThreads;
  return threads_of_quota(std::atof(quota.c_str()), period);
}

int quota_v1(const std::string& folder) {
  const std::string quota = first_line(folder + "/cpu.cfs_quota_us"),
                    period = first_line(folder + "/cpu.cfs_period_us");
  if (quota.empty() || period.empty()) return kUnlimitedThreads;
  return threads_of_quota(std::atof(quota.c_str()), std::atof(period.c_str()));
}

// A quota binds everything below it, so every ancestor of this process's group counts.
template <class Quota>
int smallest_quota(const std::string& mount, std::string group, Quota quota) {
  int least = quota(mount);  // inside a container the group's own folder is mounted here
  while (group.size() > 1) {
    least = std::min(least, quota(mount + group));
    group = group.substr(0, group.find_last_of('/'));
  }
  return least;
}

}  // namespace

std::vector<int> affinity() {
  std::vector<int> cpus;
#if defined(__linux__)
  // The mask is as long as the kernel's, which may be longer than cpu_set_t: grow until it fits.
  for (int count = 1024; count <= 1 << 20; count *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(count));
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(count));
    const bool ok = sched_getaffinity(0, bytes, set) == 0;
    for (int i = 0; ok && i < count; ++i) {
      if (CPU_ISSET_S(static_cast<size_t>(i), bytes, set)) cpus.push_back(i);
    }
    CPU_FREE(set);
    if (ok) return cpus;
  }
#endif
  const int n = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  for (int i = 0; i < n; ++i) cpus.push_back(i);
  return cpus;
}

int cgroup_quota(const std::string& root) {
  const std::string mounts = root + "/sys/fs/cgroup";
  int least = kUnlimitedThreads;
  std::ifstream groups(root + "/proc/self/cgroup");  // lines "id:controllers:path"; v2 has no controllers
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) {
      least = std::min(least, smallest_quota(mounts, path, quota_v2));
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
      least = std::min(least, smallest_quota(mounts + "/cpu", path, quota_v1));
      least = std::min(least, smallest_quota(mounts + "/" + controllers, path, quota_v1));
    }
  }
  return least;
}

ThreadCount default_thread_count(const std::vector<int>& cpus) {
  if (const char* variable = std::getenv("OMP_NUM_THREADS")) {
    const long n = std::strtol(variable, nullptr, 10);  // "4,2" for nested regions: the outermost counts
    if (n >= 1) return {static_cast<int>(std::min<long>(n, kMostThreads)), "OMP_NUM_THREADS=" + std::string(variable)};
  }
  const int allowed = std::min(static_cast<int>(cpus.size()), kMostThreads);
  const int cores = physical_cores(cpus), quota = cgroup_quota();
  if (quota < cores) return {quota, "cgroup CPU quota"};
  if (cores < allowed) return {cores, "physical cores in the affinity mask"};
  return {std::max(1, allowed), "CPUs in the affinity mask"};
}

}  // namespace polysemy
