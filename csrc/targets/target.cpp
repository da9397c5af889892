// Compiled once per row of isa.cmake, with that row's flags. Its only external symbol is the table.
#include POLYSEMY_ISA_HEADER

#include "kernels/table.inl.h"

namespace polysemy {

extern const KernelTable POLYSEMY_ISA_TABLE;
constinit const KernelTable POLYSEMY_ISA_TABLE = make_table(POLYSEMY_ISA_NAME, POLYSEMY_ISA_FUSED);

}  // namespace polysemy
