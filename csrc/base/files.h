// Small files by which the system tells about itself.
#pragma once

#include <fstream>
#include <string>

namespace polysemy {

// The first line, "" when there is none.
inline std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace polysemy
