// Errors of the C++ core. A message names the operation, the argument, its expected and its actual value.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace polysemy {

// Becomes ValueError in Python.
struct ArgumentError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
void require(bool ok, const Parts&... message) {
  if (!ok) throw ArgumentError(concat(message...));
}

}  // namespace polysemy
