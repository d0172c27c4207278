#!/usr/bin/env bash
# The pylock.toml that pnpm writes by default has wheels for the architecture that pnpm runs on alone, but its `environments`
# name the Python version and what markers of the dependencies test, and not the machine. So a reader that trusts them (PEP 751: they are the environments that
# the lock is compatible with) accepts the lock on another architecture, where a compiled distribution has no file. With
# `python.versions` and `supportedArchitectures` the same pnpm does state the machine.
#
# Seen with pnpm 12.21.0.
#
# needs: npm, python3 of 3.9 or later; the npm registry, PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export HOME=$work

case $(uname -m) in
    x86_64) exe=@pnpm/exe.linux-x64 machine=x86_64 ;;
    aarch64) exe=@pnpm/exe.linux-arm64 machine=aarch64 ;;
    *) echo "pnpm has no executable for $(uname -m)"; exit 1 ;;
esac
mkdir tool project
(cd tool && npm install --silent --no-audit --no-fund "$exe@12.21.0" >/dev/null) || exit 1
pnpm=$work/tool/node_modules/$exe/pnpm
cd project
cat >pyproject.toml <<'END'
[project]
name = "app"
version = "1"
requires-python = ">=3.9"
dependencies = ["markupsafe==3.0.2"]
END
lock() {
    "$pnpm" install --lockfile-only >/dev/null
    grep -A4 '^environments' pylock.toml | sed '/^\]/,$d; /^$/,$d'
    grep -o 'name = "MarkupSafe.*' pylock.toml
}

printf 'python:\n  enabled: true\n' >pnpm-workspace.yaml
plain=$(lock)
printf '%s\n' "by default:" "$plain"
version=$(python3 -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')
printf "python:\n  enabled: true\n  versions: ['%s']\nsupportedArchitectures: [linux-x64-manylinux_2_28, linux-arm64-manylinux_2_28]\n" \
    "$version" >pnpm-workspace.yaml
rm pylock.toml
told=$(lock)
printf '%s\n' "with both settings:" "$told"
[[ $plain != *platform_machine* ]] || { echo "changed: the machine is stated"; exit 1; }
[ "$(grep -c '^name' <<<"$plain")" = 1 ] && [[ $plain == *"$machine.whl"* ]] || { echo "changed: other files"; exit 1; }
[[ $told == *"platform_machine == 'aarch64'"* ]] || { echo "changed: the machine is not stated with the settings"; exit 1; }
