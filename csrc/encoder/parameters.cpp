#include "encoder/parameters.h"

#include <algorithm>

namespace polysemy {
namespace {

struct Lister {
  std::vector<Parameter> list;

  void table(const Tensor&, const std::string& name, int64_t rows, int64_t columns) {
    list.push_back({name, rows, columns, false, true});
  }
  void norm(const NormWeights&, const NormSpec& spec, const std::string& name, int64_t columns) {
    if (!spec) return;
    list.push_back({name + ".weight", 1, columns, true});
    if (spec.bias) list.push_back({name + ".bias", 1, columns, true});
  }
  void matrix(const LinearWeights&, const Matrix& matrix) {
    for (const Matrix::Part& part : matrix.parts) {
      list.push_back({part.name + ".weight", part.rows, matrix.columns, false});
      if (matrix.bias) list.push_back({part.name + ".bias", 1, part.rows, true});
    }
  }
};

}  // namespace

EncoderWeights empty_weights(const EncoderSpec& spec) {
  EncoderWeights w;
  int64_t layers = 0, tables = 0;
  for (const LayerSpec& layer : spec.layers) {
    layers = std::max(layers, layer.weights + 1);
    const PositionBiasSpec& bias = layer.attention.position_bias;
    if (bias.has_table()) tables = std::max(tables, bias.table + 1);
  }
  w.layers.resize(static_cast<size_t>(layers));
  w.position_biases.resize(static_cast<size_t>(tables));
  w.position_norms.resize(static_cast<size_t>(tables));
  return w;
}

std::vector<Parameter> parameters(const EncoderSpec& spec) {
  EncoderWeights none = empty_weights(spec);
  Lister lister;
  walk(spec, none, lister);
  return std::move(lister.list);
}

}  // namespace polysemy
