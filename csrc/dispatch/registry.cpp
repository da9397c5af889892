#include "dispatch/registry.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"
#include "base/cpu.h"

namespace polysemy {

// One declaration and one row per level, written by isa.cmake.
#define POLYSEMY_LEVEL(name, ...) extern const KernelTable name##_kernels;
#include "isa_levels.inc"
#undef POLYSEMY_LEVEL

namespace {

bool usable(const Level& level) {
  return std::all_of(level.required.begin(), level.required.end(),
                     [](const std::string& feature) { return cpu_info().has(feature); });
}

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

}  // namespace

const std::vector<Level>& built_levels() {
  static const std::vector<Level> levels = {
#define POLYSEMY_LEVEL(name, ...) {#name, &name##_kernels, {__VA_ARGS__}},
#include "isa_levels.inc"
#undef POLYSEMY_LEVEL
  };
  return levels;
}

std::vector<std::string> usable_levels() {
  std::vector<std::string> names;
  for (const Level& level : built_levels()) {
    if (usable(level)) names.push_back(level.name);
  }
  return names;
}

const KernelTable& kernels(const std::string& name) {
  for (const Level& level : built_levels()) {
    if (level.name != name) continue;
    if (usable(level)) return *level.kernels;
    throw ValueError(text("isa '", name, "' needs CPU features that this machine lacks (", joined(level.required),
                          "); possible here: ", joined(usable_levels())));
  }
  throw ValueError(text("isa '", name, "' is unknown; possible here: ", joined(usable_levels())));
}

const KernelTable& default_kernels() {
  static const KernelTable& table = []() -> const KernelTable& {
    const char* wanted = std::getenv("POLYSEMY_ISA");
    if (!wanted || !*wanted) return kernels(usable_levels().back());
    try {
      return kernels(wanted);
    } catch (const ValueError& error) {
      throw ValueError(text("environment variable POLYSEMY_ISA: ", error.what()));
    }
  }();
  return table;
}

}  // namespace polysemy
