// Compiled once per row of isa.cmake that extends another level: a table of what it does better.
#pragma GCC diagnostic ignored "-Wunused-function"  // an extension uses few of the kernels that it includes

#include POLYSEMY_ISA_HEADER

#include "kernels/gemm_tiles.inl.h"

namespace polysemy {
namespace {

constexpr KernelTable make_extension() {
  KernelTable t{};
  t.name = POLYSEMY_ISA_NAME;
  t.fused = POLYSEMY_ISA_FUSED;
  add_natives<POLYSEMY_ISA_NATIVE>(t);
  return t;
}

}  // namespace

extern const KernelTable POLYSEMY_ISA_TABLE;
constinit const KernelTable POLYSEMY_ISA_TABLE = make_extension();

}  // namespace polysemy
