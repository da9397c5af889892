// CPU, threads, build: what the runtime page and the benchmarks ask; and keys of JSON.
#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>

#include "base/buffer.h"
#include "base/check.h"
#include "base/cpu.h"
#include "base/json_keys.h"
#include "base/parallel.h"
#include "base/startable.h"
#include "bind/module.h"
#include "bind/unlocked.h"

namespace polysemy {
namespace {

namespace py = pybind11;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Rounds of register arithmetic per timing (about a millisecond), and timings of which the fastest counts: other work
// on the machine can only slow one down.
constexpr int64_t kPeakRounds = 100'000;
constexpr int kPeakTimings = 64;

double measure_fma_peak(int64_t num_threads, const std::optional<std::string>& isa) {
  const KernelTable& table = kernels_of(isa);
  const int threads = resolve_threads(num_threads);
  std::vector<double> best(static_cast<size_t>(threads), 0.0);
  Barrier barrier;
  parallel(threads, [&](int thread, int team) {
    for (int i = 0; i < kPeakTimings; ++i) {
      barrier.wait(team);
      const auto start = Clock::now();
      const double work = table.fma_peak(kPeakRounds);
      double& mine = best[static_cast<size_t>(thread)];
      mine = std::max(mine, work / seconds_since(start));
    }
  });
  return std::accumulate(best.begin(), best.end(), 0.0) * 1e-9;
}

double measure_read_bandwidth(int64_t bytes, int64_t num_threads) {
  require(bytes >= 4096 && bytes <= (int64_t{1} << 34), "measure_read_bandwidth: bytes must be 4096 to 2^34, got ",
          bytes);
  const int threads = resolve_threads(num_threads);
  const int64_t count = bytes / 4 / 32 * 32;
  const Buffer data = Buffer::of<float>(count * threads);
  const int64_t passes = std::max<int64_t>(2, (int64_t{1} << 28) / bytes);
  double elapsed = 0;
  std::vector<double> sums(static_cast<size_t>(threads), 0.0);
  Barrier barrier;
  parallel(threads, [&](int thread, int team) {
    float* mine = data.data<float>() + thread * count;
    std::fill_n(mine, count, 1.0f);
    barrier.wait(team);
    const auto start = Clock::now();
    float total[32] = {};
    for (int64_t pass = 0; pass < passes; ++pass) {
      for (int64_t i = 0; i < count; i += 32) {
        for (int j = 0; j < 32; ++j) total[j] += mine[i + j];
      }
    }
    sums[static_cast<size_t>(thread)] = std::accumulate(total, total + 32, 0.0);
    barrier.wait(team);
    if (thread == 0) elapsed = seconds_since(start);
  });
  require(std::accumulate(sums.begin(), sums.end(), 0.0) > 0, "measure_read_bandwidth: nothing was read");
  return static_cast<double>(count * 4 * threads * passes) / elapsed * 1e-9;
}

py::dict cpu_dict() {
  const CpuInfo& info = cpu_info();
  py::dict d;
  d["model"] = info.model;
  d["features"] = info.features;
  d["l1d"] = info.l1d;
  d["l2"] = info.l2;
  d["l3"] = info.l3;
  return d;
}

py::dict build_dict() {
  py::dict d;
  d["version"] = POLYSEMY_VERSION;
  d["compiler"] =
#if defined(__clang__)
      concat("clang ", __clang_major__, ".", __clang_minor__, ".", __clang_patchlevel__);
#else
      std::string("gcc ") + __VERSION__;
#endif
  d["build_type"] = POLYSEMY_BUILD_TYPE;
  d["openmp"] = openmp_version();
  return d;
}

}  // namespace

void bind_runtime(py::module_& m) {
  m.def("built_isas", [] {
    std::vector<std::string> names;
    for (const Isa& isa : built_isas()) names.push_back(isa.name);
    return names;
  });
  m.def("isas", &usable_isas);
  m.def("fused_isas", [] {
    std::vector<std::string> names;
    for (const std::string& name : usable_isas()) {
      if (kernels(name).fused) names.push_back(name);
    }
    return names;
  });
  m.def("default_isa", [] { return default_kernels().name; });
  m.def(
      "products",
      [](const std::optional<std::string>& isa) {
        const KernelTable& table = kernels_of(isa);
        std::map<std::string, std::pair<std::string, bool>> all;
        for (int i = 0; i < kPrecisions; ++i) {
          all[kPrecisionNames[i]] = {table.products[i].instruction, table.products[i].native};
        }
        return all;
      },
      py::arg("isa") = py::none());
  m.def("cpu_info", &cpu_dict);
  m.def("build_info", &build_dict);
  m.def("default_num_threads", [] { return standard_thread_count().threads; });
  m.def("num_threads_reason", [] { return thread_count().reason; });
  m.attr("MOST_THREADS") = kMostThreads;
  m.def("set_num_threads", &set_num_threads, py::arg("n"));
  m.def("get_num_threads", &get_num_threads);
  m.def(
      "startable_threads",
      [](int wanted) {
        int found = 0;
        unlocked([&] { found = startable_threads(std::min(wanted, kMostThreads)); });
        return found;
      },
      py::arg("wanted"));
  m.def(
      "measure_fma_peak",
      [](int64_t num_threads, const std::optional<std::string>& isa) {
        double peak = 0;
        unlocked([&] { peak = measure_fma_peak(num_threads, isa); });
        return peak;
      },
      py::arg("num_threads") = 0, py::arg("isa") = py::none());
  m.def(
      "measure_read_bandwidth",
      [](int64_t bytes, int64_t num_threads) {
        double bandwidth = 0;
        unlocked([&] { bandwidth = measure_read_bandwidth(bytes, num_threads); });
        return bandwidth;
      },
      py::arg("bytes"), py::arg("num_threads") = 0);
  m.def(
      "repeated_key",
      [](const py::bytes& json) -> std::optional<py::bytes> {
        const std::string_view text = json;
        std::optional<std::string> key;
        unlocked([&] { key = repeated_key(text); });
        return key ? std::optional<py::bytes>(py::bytes(*key)) : std::nullopt;
      },
      py::arg("json"));
}

}  // namespace polysemy
