#!/bin/sh
# Makes the virtual environment: `setup.sh run` for the services, `setup.sh dev` for the tests' tools too.
# Reads PYTHON (the interpreter to use) and VENV (the folder to make).
set -eu
tier=$1
python=${PYTHON:-python3}
venv=${VENV:-.venv}

die() {
    printf '\ntidegate: %s\n' "$*" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    die "there is no $python here: install Python 3.11, 3.12 or 3.13, or name one: make $tier PYTHON=/path/to/python3.12"

# TensorFlow decides: it has wheels for these Pythons and platforms, and for no others
reason=$("$python" - <<'PY'
import platform
import struct
import sys

found = f"{platform.python_implementation()} {platform.python_version()}"
if not (3, 11) <= sys.version_info[:2] <= (3, 13) or platform.python_implementation() != "CPython":
    print(f"TensorFlow has wheels for CPython 3.11 to 3.13, this is {found}: name another, e.g. make run PYTHON=python3.12")
elif struct.calcsize("P") != 8:
    print(f"TensorFlow needs a 64-bit Python, this {found} is a 32-bit one")
elif (sys.platform, platform.machine()) not in {("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")}:
    print(f"TensorFlow has no wheel for {sys.platform} on {platform.machine()}: use Linux (WSL on Windows) or an Apple Silicon Mac")
elif sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
    print("TensorFlow has no wheel for this C library (Alpine's musl?): use a distribution with glibc")
PY
) || die "$python does not start"
[ -z "$reason" ] || die "$reason"

if [ ! -x "$venv/bin/python" ]; then
    echo "Making $venv with $("$python" --version) …"
    "$python" -m venv "$venv" || {
        rm -rf "$venv"
        die "$python has no venv module: on Debian and Ubuntu, apt install python3-venv"
    }
fi

# pip, which would say far too much, says nothing for a minute or two: a sign of life instead, on a terminal or not
started=$(date +%s)
show_life() {
    while sleep 10 >/dev/null && kill -0 $$ 2>/dev/null; do
        echo "  … $(($(date +%s) - started)) s"
    done
}

install() {
    show_life &
    life=$!
    installed=yes
    "$venv/bin/python" -m pip install --disable-pip-version-check --quiet "$@" || installed=
    kill "$life" 2>/dev/null || true
    wait $life 2>/dev/null || true
    [ "$installed" ] || die "pip could not install everything. Is the package index within reach (network, proxy, pip's own settings)?
    Run the same command again: what was downloaded is kept."
}

if [ "$tier" = run ] && [ -e "$venv/dev.stamp" ]; then
    lock=requirements/dev.txt # the same versions, and nothing is taken away
else
    lock=requirements/$tier.txt
fi
if [ -e "$venv/$tier.stamp" ]; then
    echo "Installing what has changed …"
elif [ "$tier" = dev ]; then
    echo "Installing Locust, tidegate-hpa, tidegate-proof and the tools of tests and checks (some minutes, once) …"
fi
[ -e "$venv/run.stamp" ] || echo "Installing (TensorFlow alone is about 270 MB, once) …"
install --require-hashes --requirement "$lock"
if [ "$tier" = dev ]; then
    install --require-hashes --no-deps --requirement requirements/oracle.txt
fi
install --no-deps --no-build-isolation --editable proto --editable services/web --editable services/serving
if [ "$tier" = dev ]; then
    install --no-deps --no-build-isolation --editable loadtest --editable hpa --editable proof
fi
touch "$venv/run.stamp"
if [ "$tier" = dev ]; then touch "$venv/dev.stamp"; fi
