// Keys of JSON, where the library that reads a file would take the last of two without a word. Not in Python, whose
// reader makes an object of every entry of a vocabulary.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace polysemy {

// A key that an object of a JSON text has twice, escapes resolved. Nothing for a text that is no JSON, or that is
// nested deeper than 128 levels: who reads it refuses it. Takes 8 bytes per key of the objects around a place.
std::optional<std::string> repeated_key(std::string_view json);

}  // namespace polysemy
