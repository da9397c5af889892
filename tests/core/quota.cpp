// CPU quotas of control groups, read from folders that look like those of the kernel.
#include <filesystem>
#include <fstream>
#include <random>
#include <tuple>

#include "base/cpu.h"
#include "trial.h"

namespace {

using namespace polysemy;
namespace fs = std::filesystem;

class Root {
 public:
  Root() : folder_(fs::temp_directory_path() / ("polysemy_quota_" + std::to_string(std::random_device{}()))) {}
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  ~Root() { fs::remove_all(folder_); }

  Root& file(const std::string& name, const std::string& content) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << content;
    return *this;
  }

  void gives(int threads, const std::string& what) const {
    const int found = cgroup_quota(folder_.string());
    trial::expect(found == threads, what + ": expected " + std::to_string(threads) + ", got " + std::to_string(found));
  }

 private:
  fs::path folder_;
};

constexpr const char* kGroups = "proc/self/cgroup";
constexpr const char* kMount = "sys/fs/cgroup/";

void version_2() {
  const std::string mount = kMount;
  Root().gives(kUnlimitedThreads, "no control groups");
  Root().file(kGroups, "0::/\n").gives(kUnlimitedThreads, "no quota");
  Root().file(kGroups, "0::/\n").file(mount + "cpu.max", "max 100000\n").gives(kUnlimitedThreads, "max");
  Root().file(kGroups, "0::/\n").file(mount + "cpu.max", "150000 100000\n").gives(2, "one and a half");
  Root().file(kGroups, "0::/\n").file(mount + "cpu.max", "1000 100000\n").gives(1, "a hundredth");
  Root().file(kGroups, "0::/\n").file(mount + "cpu.max", "").gives(kUnlimitedThreads, "an empty file");
  Root().file(kGroups, "0::/\n").file(mount + "cpu.max", "100000 0").gives(kUnlimitedThreads, "no period");
  for (const auto& [outer, inner, threads] :
       {std::tuple{"300000", "max", 3}, {"max", "400000", 4}, {"200000", "400000", 2}}) {
    Root()
        .file(kGroups, "0::/a/b/c\n")
        .file(mount + "a/cpu.max", std::string(outer) + " 100000")
        .file(mount + "a/b/cpu.max", "max 100000")
        .file(mount + "a/b/c/cpu.max", std::string(inner) + " 100000")
        .gives(threads, "nested");
  }
}

void version_1() {
  const std::string mount = kMount;
  const auto quota = [&](Root& root, const std::string& group, const std::string& value) {
    root.file(mount + group + "/cpu.cfs_quota_us", value).file(mount + group + "/cpu.cfs_period_us", "50000");
  };
  {
    Root root;
    root.file(kGroups, "5:cpu:/a\n4:memory:/b\n");
    quota(root, "cpu/a", "-1");
    root.gives(kUnlimitedThreads, "v1 without a quota");
    quota(root, "cpu/a", "250000");
    root.gives(5, "v1");
  }
  {
    Root root;
    root.file(kGroups, "4:memory:/x\n5:cpu:/a/b\n0::/\n");
    quota(root, "cpu/a/b", "-1");
    quota(root, "cpu/a", "100000");
    root.gives(2, "v1, nested");
  }
  Root root;
  root.file(kGroups, "5:cpu,cpuacct:/\n");
  quota(root, "cpu,cpuacct", "150000");
  root.gives(3, "v1, mounted with another controller");
}

}  // namespace

int main() {
  version_2();
  version_1();
  return 0;
}
