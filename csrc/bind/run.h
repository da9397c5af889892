// From a described operation to its result.
#pragma once

#include "base/parallel.h"
#include "bind/module.h"
#include "bind/unlocked.h"
#include "ops/checks.h"

namespace polysemy {

// Checks an operation and computes it without the interpreter lock.
template <class Op>
void run(const char* operation, void (*compute)(const KernelTable&, const Op&, int), const Op& op, int64_t num_threads,
         const std::optional<std::string>& isa) {
  validate(operation, op);
  const int threads = resolve_threads(num_threads);
  const KernelTable& table = kernels_of(isa);
  unlocked([&] { compute(table, op, threads); });
}

}  // namespace polysemy
