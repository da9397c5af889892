// Picks the kernels for this CPU.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.h"

namespace polysemy {

struct Level {
  std::string name;
  const KernelTable* kernels;
  std::vector<std::string> required;  // CPU features
};

const std::vector<Level>& built_levels();  // weakest first
std::vector<std::string> usable_levels();  // those that this CPU can run
const KernelTable& default_kernels();      // strongest usable one, or POLYSEMY_ISA; throws on an impossible value
const KernelTable& kernels(const std::string& level);  // throws if unknown or beyond this CPU

}  // namespace polysemy
