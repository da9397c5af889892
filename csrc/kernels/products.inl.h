// The products of one level, by precision.
#pragma once

#include "kernels/attention_integers.inl.h"
#include "kernels/gemm.inl.h"
#include "kernels/panels_bfloat16.inl.h"
#include "kernels/panels_float16.inl.h"
#include "kernels/panels_float32.inl.h"
#include "kernels/panels_int16.inl.h"
#include "kernels/panels_int8.inl.h"
#include "kernels/table.h"

namespace polysemy {
namespace {

template <class Panels>
int64_t input_bytes(int64_t k) noexcept {
  return Panels::input_bytes(k);
}

template <class Panels>
constexpr void add_slot(KernelTable& t, bool native) {
  GemmSlot& slot = t.products[static_cast<int>(Panels::kPrecision)];
  slot.gemm = gemm<Panels>;
  slot.pack = Panels::pack;
  if constexpr (Panels::kPrepares) slot.prepare = Panels::prepare;
  slot.input_bytes = input_bytes<Panels>;
  slot.instruction = Panels::kInstruction;
  slot.native = native;
}

// What a level does by instructions of its own: panels, or an attention.
template <class Native>
constexpr void add_native(KernelTable& t) {
  if constexpr (requires { Native::add_to(t); }) {
    Native::add_to(t);
  } else {
    add_slot<Native>(t, true);
  }
}

template <class... Native>
constexpr void add_natives(KernelTable& t) {
  (add_native<Native>(t), ...);
}

constexpr void add_products(KernelTable& t) {
  add_slot<Float32Panels>(t, true);
  add_slot<BFloat16Panels<WidenedPairs>>(t, false);
  add_slot<Float16Panels>(t, false);
  add_slot<Int8Panels<WideQuads<WideProducts>>>(t, false);
  add_slot<Int16Panels<IntegerPairs>>(t, IntegerPairs::kNative);
  IntegerAttention<IntegerPairs>::add_to(t);
}

}  // namespace
}  // namespace polysemy
