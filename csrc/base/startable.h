// Whether threads can be made before somebody relies on it.
#pragma once

namespace polysemy {

// How many of `wanted` threads can exist beside those that there are, with some memory left: they are made, kept until
// the last one is there, and ended. On return they are gone, and what they had can be had again.
int startable_threads(int wanted) noexcept;

}  // namespace polysemy
