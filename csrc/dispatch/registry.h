// Picks the kernels for this CPU.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.h"

namespace polysemy {

struct Isa {
  std::string name;
  std::string extends;  // the level whose kernels it has where it has none of its own, or empty
  KernelTable kernels;
  std::vector<std::string> required;  // CPU features
};

const std::vector<Isa>& built_isas();    // weakest first
std::vector<std::string> usable_isas();  // those that this CPU can run
const KernelTable& default_kernels();    // best usable one, or POLYSEMY_ISA; throws on an impossible value
const KernelTable& kernels(const std::string& level);  // throws if unknown or beyond this CPU

}  // namespace polysemy
