# Sourced by the scripts beside it: goes to the project's folder and keeps there, in .venv, what they need.
# PYTHON=/path/to/python names the interpreter; otherwise the newest on PATH is taken.
set -euo pipefail
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=.venv/bin/python

suitable() {
  "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

make_environment() {
  local candidate candidates=(python3.14 python3.13 python3.12 python3.11 python3)
  if [ -n "${PYTHON:-}" ]; then candidates=("$PYTHON"); fi
  for candidate in "${candidates[@]}"; do
    if suitable "$candidate"; then
      echo "Making .venv with $("$candidate" --version)." >&2
      "$candidate" -m venv --clear .venv
      return
    fi
  done
  echo "$0: no Python 3.11 or newer with its venv module among ${candidates[*]};" \
    "install one (Debian and Ubuntu: python3 python3-venv), or name it: PYTHON=/path/to/python $0" >&2
  exit 1
}

# install NAME REQUIREMENT...: into .venv, unless it was done there for this folder and this pyproject.toml.
install() {
  local stamp=.venv/installed-$1 wanted
  shift
  wanted=$(echo "$PWD" "$@" && cat pyproject.toml)
  suitable "$python" || make_environment
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing ${*: -1} into .venv; only the first time takes a while." >&2
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >&2
    "$python" -m pip install --quiet --disable-pip-version-check "$@"
    echo "$wanted" >"$stamp"
  fi
}
