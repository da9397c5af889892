#include "base/json_keys.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace polysemy {
namespace {

constexpr size_t kDeepest = 128;
constexpr std::string_view kSpace = " \t\n\r";
// Halves of hashes of so many keys don't agree by chance.
constexpr std::ptrdiff_t kMostAlike = 64;
// From so many keys on an object is looked at before it ends, or a file of one key over and over would take memory.
constexpr size_t kManyKeys = 1 << 18;

void append_utf8(std::string& to, uint32_t code) {
  const auto byte = [&](uint32_t bits) { to.push_back(static_cast<char>(bits)); };
  if (code < 0x80) return byte(code);
  if (code < 0x800) {
    byte(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      byte(0xE0 | code >> 12);
    } else {
      byte(0xF0 | code >> 18);
      byte(0x80 | (code >> 12 & 0x3F));
    }
    byte(0x80 | (code >> 6 & 0x3F));
  }
  byte(0x80 | (code & 0x3F));
}

// Four hexadecimal digits; what is none counts as zero, as nobody will read it.
uint32_t hexadecimal(std::string_view digits) {
  uint32_t code = 0;
  for (const char c : digits.substr(0, 4)) {
    const uint32_t low = static_cast<uint32_t>(c) | 0x20;
    const uint32_t digit = c >= '0' && c <= '9'       ? static_cast<uint32_t>(c - '0')
                           : low >= 'a' && low <= 'f' ? low - 'a' + 10
                                                      : 0;
    code = code << 4 | digit;
  }
  return code;
}

// A string without its quotes, as its characters are.
std::string resolved(std::string_view text) {
  std::string key;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      key.push_back(text[i]);
      continue;
    }
    const char c = text[++i];
    constexpr std::string_view kLetters = "bfnrt", kMeanings = "\b\f\n\r\t";
    if (const size_t at = kLetters.find(c); at != std::string_view::npos) {
      key.push_back(kMeanings[at]);
    } else if (c != 'u') {
      key.push_back(c);
    } else {
      uint32_t code = hexadecimal(text.substr(i + 1));
      i += 4;
      if (code >> 10 == 0xD800 >> 10 && text.substr(std::min(i + 1, text.size()), 2) == "\\u") {
        const uint32_t low = hexadecimal(text.substr(i + 3));
        if (low >> 10 == 0xDC00 >> 10) {
          code = 0x10000 + ((code & 0x3FF) << 10 | (low & 0x3FF));
          i += 6;
        }
      }
      append_utf8(key, code);
    }
  }
  return key;
}

// FNV-1a. Its upper half is kept above where a key starts, so that one number is all that is sorted; keys whose halves
// agree are compared.
uint64_t hash_of(std::string_view key) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return hash >> 32 << 32;
}

class Keys {
 public:
  explicit Keys(std::string_view text) : text_(text) {}

  std::optional<std::string> repeated() {
    for (size_t i = 0; i < text_.size(); ++i) {
      switch (text_[i]) {
        case '{':
        case '[':
          if (starts_.size() == kDeepest) return std::nullopt;
          starts_.push_back(keys_.size());
          break;
        case ']':
        case '}': {
          if (starts_.empty()) return std::nullopt;
          if (const auto key = repeated_since(starts_.back())) return key;
          keys_.resize(starts_.back());
          starts_.pop_back();
          break;
        }
        case '"': {
          const size_t start = i + 1;
          i = end_of_string(start);
          if (i == text_.size()) return std::nullopt;
          const size_t next = text_.find_first_not_of(kSpace, i + 1);
          if (next == std::string_view::npos || text_[next] != ':') break;
          if (starts_.empty()) return std::nullopt;
          add(start, i);
          const size_t count = keys_.size() - starts_.back();
          if (count >= kManyKeys && std::has_single_bit(count)) {
            if (const auto key = repeated_since(starts_.back())) return key;
          }
          break;
        }
        default:
          break;
      }
    }
    return std::nullopt;
  }

 private:
  size_t end_of_string(size_t i) const {
    for (; i < text_.size() && text_[i] != '"'; ++i) {
      if (text_[i] == '\\') ++i;
    }
    return std::min(i, text_.size());
  }

  void add(size_t start, size_t end) {
    const std::string_view text = text_.substr(start, end - start);
    const bool plain = text.find('\\') == std::string_view::npos;
    keys_.push_back((plain ? hash_of(text) : hash_of(resolved(text))) | start);
  }

  std::string spelled(uint64_t key) const {
    const size_t start = key & 0xFFFFFFFFu;
    return resolved(text_.substr(start, end_of_string(start) - start));
  }

  std::optional<std::string> repeated_since(size_t first) {
    const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, keys_.end());
    for (auto run = begin; run != keys_.end();) {
      const auto end = std::find_if(run, keys_.end(), [&](uint64_t key) { return key >> 32 != *run >> 32; });
      if (end - run > kMostAlike) return spelled(*run);
      if (end - run > 1) {
        std::vector<std::string> same;
        for (auto key = run; key != end; ++key) same.push_back(spelled(*key));
        std::sort(same.begin(), same.end());
        const auto twice = std::adjacent_find(same.begin(), same.end());
        if (twice != same.end()) return *twice;
      }
      run = end;
    }
    return std::nullopt;
  }

  std::string_view text_;
  std::vector<uint64_t> keys_;  // of the objects around a place, the outermost first
  std::vector<size_t> starts_;  // of those of each object; a list has none
};

}  // namespace

std::optional<std::string> repeated_key(std::string_view json) {
  if (json.size() >> 32) return std::nullopt;  // longer than any file that is read
  return Keys(json).repeated();
}

}  // namespace polysemy
