#include "dispatch/registry.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"
#include "base/cpu.h"
#include "base/lazy.h"

namespace polysemy {

// One declaration and one row per level, written by isa.cmake.
#define POLYSEMY_ISA_ROW(name, extends, ...) extern const KernelTable name##_kernels;
#include "isas.inc"
#undef POLYSEMY_ISA_ROW

namespace {

bool usable(const Isa& isa) {
  return std::all_of(isa.required.begin(), isa.required.end(),
                     [](const std::string& feature) { return cpu_info().has(feature); });
}

// An extension has only the products that it does better than the level before it, which is complete.
void complete(Isa& isa, const std::vector<Isa>& all) {
  if (isa.extends.empty()) return;
  const auto parent = std::find_if(all.begin(), all.end(), [&](const Isa& other) { return other.name == isa.extends; });
  KernelTable table = parent->kernels;
  table.name = isa.kernels.name;
  for (int i = 0; i < kPrecisions; ++i) {
    if (isa.kernels.products[i].gemm) table.products[i] = isa.kernels.products[i];
  }
  for (int i = 0; i < kAttentions; ++i) {
    if (isa.kernels.attention[i]) table.attention[i] = isa.kernels.attention[i];
  }
  isa.kernels = table;
}

// The strongest level that gains something here.
const std::string& best_isa(const std::vector<std::string>& usable) {
  const auto gains = [](const std::string& name) { return name != "avx512_bf16" || !cpu_info().slow_bfloat16; };
  return *std::find_if(usable.rbegin(), usable.rend(), gains);
}

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

}  // namespace

const std::vector<Isa>& built_isas() {
  static constinit Lazy<std::vector<Isa>> isas;
  return isas.get([] {
    std::vector<Isa> all = {
#define POLYSEMY_ISA_ROW(name, extends, ...) {#name, extends, name##_kernels, {__VA_ARGS__}},
#include "isas.inc"
#undef POLYSEMY_ISA_ROW
    };
    for (Isa& isa : all) complete(isa, all);
    return all;
  });
}

std::vector<std::string> usable_isas() {
  std::vector<std::string> names;
  for (const Isa& isa : built_isas()) {
    if (usable(isa)) names.push_back(isa.name);
  }
  return names;
}

const KernelTable& kernels(const std::string& name) {
  for (const Isa& isa : built_isas()) {
    if (isa.name != name) continue;
    if (usable(isa)) return isa.kernels;
    throw ArgumentError(concat("isa '", name, "' needs CPU features that this machine lacks (", joined(isa.required),
                               "); possible here: ", joined(usable_isas())));
  }
  throw ArgumentError(concat("isa '", name, "' is unknown; possible here: ", joined(usable_isas())));
}

const KernelTable& default_kernels() {
  static constinit Lazy<const KernelTable*> table;
  return *table.get([] {
    const char* wanted = std::getenv("POLYSEMY_ISA");
    if (!wanted || !*wanted) return &kernels(best_isa(usable_isas()));
    try {
      return &kernels(wanted);
    } catch (const ArgumentError& error) {
      throw ArgumentError(concat("environment variable POLYSEMY_ISA: ", error.what()));
    }
  });
}

}  // namespace polysemy
