#!/usr/bin/env bash
# Makes .venv and installs Parley into it, editable. Arguments: extras of pyproject.toml (test, lint); none for running.
# Each set is installed once for each state of pyproject.toml: a second call only compares a hash.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

environment=.venv
set_name=run
requirement=.
if [ $# -gt 0 ]; then
    set_name=$(IFS=-; echo "$*")
    requirement=".[$(IFS=,; echo "$*")]"
fi
stamp=$environment/.installed-$set_name
# The folder is part of the key: the scripts of an environment name the folder that it was made in.
wanted=$({ pwd; cat pyproject.toml; } | sha256sum)

# What running needs is in every set.
[ $# -gt 0 ] && done_before=("$stamp") || done_before=("$environment"/.installed-*)
if [ -x $environment/bin/python ] && grep -qsxF "$wanted" "${done_before[@]}"; then
    exit 0
fi

works() { $environment/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
here() { [ "$($environment/bin/python -c 'import sys; print(sys.prefix)')" = "$PWD/$environment" ]; }
if ! works || ! here || ! head -n 3 $environment/bin/pip 2>/dev/null | grep -qF "$PWD/$environment/"; then
    python=$(scripts/find-python.sh)
    echo "Making $environment with $("$python" --version) ($python)"
    "$python" -m venv --clear $environment
fi

echo "Installing $requirement into $environment"
$environment/bin/python -m pip install --quiet --disable-pip-version-check --editable "$requirement"
echo "$wanted" > "$stamp"
