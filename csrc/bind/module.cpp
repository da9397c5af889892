// polysemy._core. This folder is the only place that knows Python.
#include "bind/module.h"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
  m.doc() = "The compiled core of polysemy: strict functions on exact arrays. Use polysemy.ops and polysemy.Encoder.";
  m.attr("__version__") = POLYSEMY_VERSION;
  pybind11::register_local_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const polysemy::ArgumentError& error) {
      PyErr_SetString(PyExc_ValueError, error.what());
    }
  });
  polysemy::bind_runtime(m);
  polysemy::bind_ops(m);
  polysemy::bind_attention(m);
  polysemy::bind_encoder(m);
  polysemy::bind_capi(m);
}
