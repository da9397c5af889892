#!/usr/bin/env bash
# Sets up everything in .venv and runs the tests, all but the slow ones. Arguments go to pytest instead:
#   scripts/test.sh tests/ops -x
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

# torch is the other opinion that many tests ask for. Installed first and by version, because where a build for CPUs
# is offered under that version, it is a tenth of the size of the one that others pull in.
install_torch() {
  if "$VENV/bin/python" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)'; then return; fi
  say "torch, to compare with"
  pip_install torch==2.13.0 || pip_install torch || fail "torch could not be installed"
}

make_venv
install_torch
install_polysemy test "[test]"
install_model

if [ $# -eq 0 ]; then
  set -- -m "not slow"
fi
exec "$VENV/bin/python" -m pytest "$@"
