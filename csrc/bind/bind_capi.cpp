// The C functions of this extension, for other extensions: see capi/polysemy_api.h.
#include "bind/module.h"
#include "capi/polysemy_api.h"

namespace polysemy {
namespace {

#define POLYSEMY_ENTRY(name) &polysemy_##name,
constexpr polysemy_api_1 table = {POLYSEMY_FUNCTIONS(POLYSEMY_ENTRY)};
#undef POLYSEMY_ENTRY
static_assert(POLYSEMY_ABI_VERSION == 1, "the name of the table ends with it");

}  // namespace

void bind_capi(pybind11::module_& m) {
  // A capsule holds a pointer to what may be written; nobody writes to this one.
  m.attr("_C_API") = pybind11::capsule(&table, POLYSEMY_CAPSULE);
}

}  // namespace polysemy
