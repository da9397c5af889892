// Work without the interpreter lock, which Ctrl-C ends early and the end of the interpreter does not turn into a crash.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <thread>

#include "base/interrupt.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace polysemy {

// Python handles signals in this thread only; 0 before it is known.
inline std::atomic<unsigned long> main_thread{0};

// Called once, when the module is made.
inline void find_main_thread() {
  main_thread = pybind11::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>();
#if defined(__unix__) || defined(__APPLE__)
  static std::atomic<bool> registered{false};
  if (registered.exchange(true)) return;
  pthread_atfork(nullptr, nullptr, [] { main_thread = PyThread_get_thread_ident(); });
#endif
}

inline bool is_finalizing() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  ~Unlocked() { lock(); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

  // What InterruptibleCall asks: true when a signal's handler has raised, as that of Ctrl-C does.
  static bool interrupted(void* self) {
    auto& unlocked = *static_cast<Unlocked*>(self);
    unlocked.lock();
    const bool raised = PyErr_CheckSignals() != 0;
    unlocked.state_ = PyEval_SaveThread();
    return raised;
  }

  // Takes the lock back. While the interpreter ends nobody gets it: up to 3.13 PyEval_RestoreThread then ends the
  // thread, by unwinding through frames that would release Python objects without the lock; later ones never return.
  // So such a thread stays here until the process is gone.
  void lock() noexcept {
    if (!state_) return;
    if (is_finalizing() || !Py_IsInitialized()) stay();
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {  // the interpreter began to end after the question above
      stay();
    }
    state_ = nullptr;
  }

 private:
  [[noreturn]] static void stay() noexcept {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }

  PyThreadState* state_;
};

// Runs f without the lock. Throws what f throws, or the exception of the signal that ended it early.
template <class F>
void unlocked(F&& f) {
  Unlocked lock;
  if (PyThread_get_thread_ident() != main_thread.load(std::memory_order_relaxed)) return f();
  InterruptibleCall call(&Unlocked::interrupted, &lock);
  std::exception_ptr failure;
  try {
    f();
  } catch (...) {
    failure = std::current_exception();
  }
  lock.lock();
  if (call.stopped()) throw pybind11::error_already_set();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace polysemy
