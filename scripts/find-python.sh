#!/usr/bin/env bash
# Prints the first Python of 3.11 or later that has the venv module; otherwise says what to install, and fails.
set -euo pipefail

for name in python3 python3.14 python3.13 python3.12 python3.11; do
    path=$(command -v "$name") || continue
    "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    # `venv` alone may import and still be unable to work: Debian keeps ensurepip in a package of its own.
    if "$path" -c 'import venv, ensurepip' 2>/dev/null; then
        [ "$name" = python3 ] || echo "python3 is not 3.11 or later with venv; using $path" >&2
        echo "$path"
        exit 0
    fi
    without_venv=${without_venv:-$("$path" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')}
done

if [ -n "${without_venv:-}" ]; then
    echo "$without_venv has no venv module, which Parley's environment is made with." >&2
    echo "Install it: sudo apt-get install ${without_venv}-venv   (then run make again)" >&2
else
    found=$(python3 --version 2>/dev/null || echo "no python3 at all")
    echo "Parley needs Python 3.11 or later; this machine has $found." >&2
    echo "Install one: sudo apt-get install python3 python3-venv   (Debian 12, Ubuntu 24.04 or later; then run make again)" >&2
fi
exit 1
