// The C functions of this extension, for other extensions: see capi/capsule.h.
#include "bind/module.h"
#include "capi/capsule.h"

namespace polysemy {
namespace {

#define POLYSEMY_ENTRY(name) &polysemy_##name,
constexpr capi::Table table = {POLYSEMY_FUNCTIONS(POLYSEMY_ENTRY)};
#undef POLYSEMY_ENTRY

}  // namespace

void bind_capi(pybind11::module_& m) {
  // A capsule holds a pointer to what may be written; nobody writes to this one.
  m.attr("_C_API") = pybind11::capsule(&table, capi::kCapsule);
}

}  // namespace polysemy
