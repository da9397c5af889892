#include "base/cpu.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/files.h"
#include "base/lazy.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace polysemy {
namespace {

#if defined(__x86_64__) || defined(_M_X64)

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf = 0) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

// Which register states the operating system saves: without that an instruction faults even if the CPU has it.
unsigned enabled_states() {
  unsigned low = 0, high = 0;
  if (!(cpuid(1).ecx & (1u << 27))) return 0;  // no OSXSAVE
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

// Linux gives a process the registers of tiles when it asks for them, as their 8 KB lie in every signal frame then.
bool tiles_permitted() {
#if defined(__linux__)
  constexpr long ask_for_state = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, ask_for_state, tile_data) == 0;
#else
  return false;
#endif
}

std::vector<std::string> detect_features() {
  const Registers one = cpuid(1), seven = cpuid(7);
  const unsigned states = enabled_states();
  const bool ymm = (states & 0x06) == 0x06;
  const bool zmm = (states & 0xE6) == 0xE6;
  const bool tiles = (states & 0x60000) == 0x60000 && (seven.edx >> 24 & 1u) && tiles_permitted();
  struct Row {
    const char* name;
    unsigned word;
    int bit;
    bool usable;
  };
  const Row rows[] = {
      {"sse4.2", one.ecx, 20, true},
      {"avx", one.ecx, 28, ymm},
      {"fma", one.ecx, 12, ymm},
      {"f16c", one.ecx, 29, ymm},
      {"avx2", seven.ebx, 5, ymm},
      {"avx512f", seven.ebx, 16, zmm},
      {"avx512dq", seven.ebx, 17, zmm},
      {"avx512bw", seven.ebx, 30, zmm},
      {"avx512vl", seven.ebx, 31, zmm},
      {"avx512_vnni", seven.ecx, 11, zmm},
      {"avx_vnni", cpuid(7, 1).eax, 4, ymm},
      {"avx512_bf16", cpuid(7, 1).eax, 5, zmm},
      {"amx_tile", seven.edx, 24, tiles},
      {"amx_int8", seven.edx, 25, tiles},
      {"amx_bf16", seven.edx, 22, tiles},
  };
  std::vector<std::string> found;
  for (const Row& row : rows) {
    if (row.usable && (row.word >> row.bit & 1u)) found.emplace_back(row.name);
  }
  return found;
}

// Intel's processors: on a Xeon of the fifth generation encoders took 1.4 times as long as in float32, on a Zen 4 0.58
// (POLYSEMY_ISA=avx512_bf16 python -m bench.accuracy --speed).
bool detect_slow_bfloat16() {
  const Registers vendor = cpuid(0);
  return vendor.ebx == 0x756E6547 && vendor.edx == 0x49656E69 && vendor.ecx == 0x6C65746E;  // "GenuineIntel"
}

#elif defined(__aarch64__)
bool detect_slow_bfloat16() { return false; }
std::vector<std::string> detect_features() {
  std::vector<std::string> found = {"neon"};  // part of armv8-a
#if defined(__linux__)
  if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) found.emplace_back("dotprod");
  if (getauxval(AT_HWCAP2) & HWCAP2_BF16) found.emplace_back("bf16");
#endif
  return found;
}
#else
bool detect_slow_bfloat16() { return false; }
std::vector<std::string> detect_features() { return {}; }
#endif

std::string model_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) {
      const size_t colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "unknown";
}

int64_t cache_bytes(const std::string& level, const std::string& type) {
  for (int i = 0; i < 8; ++i) {
    const std::string index = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/";
    if (first_line(index + "level") != level || first_line(index + "type") != type) continue;
    std::istringstream size(first_line(index + "size"));
    int64_t number = 0;
    char unit = 0;
    size >> number >> unit;
    return number * (unit == 'K' ? 1024 : unit == 'M' ? 1024 * 1024 : 1);
  }
  return 0;
}

}  // namespace

bool CpuInfo::has(const std::string& feature) const {
  return std::find(features.begin(), features.end(), feature) != features.end();
}

const CpuInfo& cpu_info() {
  static constinit Lazy<CpuInfo> info;
  return info.get([] {
    CpuInfo i;
    i.model = model_name();
    i.features = detect_features();
    i.slow_bfloat16 = detect_slow_bfloat16();
    i.l1d = cache_bytes("1", "Data");
    i.l2 = cache_bytes("2", "Unified");
    i.l3 = cache_bytes("3", "Unified");
    return i;
  });
}

}  // namespace polysemy
