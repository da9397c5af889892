// polysemy._core. This folder is the only place that knows Python.
#include "bind/module.h"

#include "bind/unlocked.h"

// pybind11's entry waits for ever in a sub-interpreter, so it gets another name and is called by ours.
#define PyInit__core polysemy_init_core
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
  polysemy::find_main_thread();
  polysemy::bind_runtime(m);
  polysemy::bind_ops(m);
  polysemy::bind_attention(m);
  polysemy::bind_encoder(m);
  polysemy::bind_capi(m);
}
#undef PyInit__core

extern "C" PYBIND11_EXPORT PyObject* PyInit__core() {  // NOLINT(bugprone-reserved-identifier): Python's name for it
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_ImportError,
                    "polysemy._core can be used in the main interpreter only, not in a sub-interpreter");
    return nullptr;
  }
  return polysemy_init_core();
}
