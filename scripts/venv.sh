#!/bin/sh
# Makes .venv with logrouter in it (argument `dev`: and what the tests need), and says what it does. Does nothing when
# that was done and pyproject.toml has not changed since.
set -eu
cd "$(dirname "$0")/.."
wanted=${1:-run}
stamp=.venv/.$wanted
[ -e "$stamp" ] && [ ! pyproject.toml -nt "$stamp" ] && exit 0

python=
for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3.14 python3 python; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$name && break; fi
done
if [ -z "$python" ]; then
    echo "logrouter needs Python 3.11 or newer, and none was found. Try:  apt-get install python3 python3-venv" >&2
    exit 1
fi

if ! [ -x .venv/bin/python ]; then
    echo "making a virtual environment in .venv with $("$python" --version)"
    if ! "$python" -m venv .venv 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            echo "installing python3-venv by apt-get"
            apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
            "$python" -m venv .venv
        else
            rm -rf .venv
            echo "this Python cannot make virtual environments. Try:  sudo apt-get install python3-venv" >&2
            exit 1
        fi
    fi
fi

echo "installing logrouter and its libraries into .venv (some 60 MB; about half a minute)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
if [ "$wanted" = dev ]; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
else
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable .
fi
touch "$stamp"
