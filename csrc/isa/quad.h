// Four lanes.
#pragma once

#include <cstdint>

namespace polysemy {
namespace {

using Quad = float __attribute__((vector_size(16)));
using IQuad = int32_t __attribute__((vector_size(16)));
using DPair = double __attribute__((vector_size(16)));

}  // namespace
}  // namespace polysemy
