#!/usr/bin/env bash
# Sets up everything in .venv and shows one word with two vectors. Arguments go to `polysemy compare`:
#   scripts/demo.sh --word light "a light bag" "the light of the sun"
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

make_venv
install_polysemy demo
install_model

if [ $# -eq 0 ]; then
  set -- --word bank "I deposited money in the bank" "We sat on the bank of the river"
fi
exec "$VENV/bin/polysemy" compare "$@"
