// The C interface: library, instruction sets, threads.
#include "base/parallel.h"
#include "capi/guard.h"
#include "dispatch/registry.h"

using namespace polysemy;

extern "C" {

int polysemy_abi_version(void) { return POLYSEMY_ABI_VERSION; }

const char* polysemy_version(void) { return POLYSEMY_VERSION; }

const char* polysemy_last_error(void) { return capi::last_message(); }

const char* polysemy_isa(void) {
  const char* name = nullptr;
  capi::guarded([&] { name = default_kernels().name; });
  return name;
}

const char* polysemy_isa_name(int index) {
  const char* name = nullptr;
  capi::guarded([&] {
    const std::vector<std::string> names = usable_isas();
    require(index >= 0 && static_cast<size_t>(index) < names.size(), "isa_name: index must be 0 to ", names.size() - 1,
            ", got ", index);
    name = kernels(names[static_cast<size_t>(index)]).name;
  });
  return name;
}

int polysemy_get_num_threads(void) {
  int threads = 1;  // what a process without memory for more can use
  capi::guarded([&] { threads = get_num_threads(); });
  return threads;
}

polysemy_status polysemy_set_num_threads(int num_threads) {
  return capi::guarded([&] { set_num_threads(num_threads); });
}
}
