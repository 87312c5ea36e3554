#!/bin/bash
# Every library that the built programs are linked with is of a package of packages.txt, stage run, so that an image with no other
# packages runs them: packages_test.sh BUILD_DIR
set -euo pipefail
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if ! command -v dpkg-query >/dev/null || [ -s "$build/libtorch" ] || ldd "$build/bin/assayd" | grep -q 'lib[atu]*san'; then
  echo "skipped: not Debian, not its LibTorch, or with sanitizers"
  exit 77
fi
# What every Debian has, besides.
listed=" $("$source/scripts/install-packages" --list run | tr '\n' ' ') libc6 libgcc-s1 "

checked=0 failed=0
for program in assayd assay assay-engine; do
  while read -r library; do
    path=$(ldd "$build/bin/$program" | awk -v name="$library" '$1 == name { print $3 }')
    [ -n "$path" ] || continue # the loader
    # Where /lib is a link to /usr/lib, older packages are known by the one and newer ones by the other.
    real=$(realpath "$path")
    package=$(dpkg-query -S "$real" 2>/dev/null || dpkg-query -S "${real#/usr}" 2>/dev/null || true)
    package=${package%%:*}
    checked=$((checked + 1))
    case "$listed" in
      *" ${package:-none} "*) ;;
      *)
        echo "FAILED: $program needs $library, of package ${package:-none}, which packages.txt does not list for stage run"
        failed=1
        ;;
    esac
  done < <(objdump -p "$build/bin/$program" | awk '$1 == "NEEDED" { print $2 }' | grep -v '^ld-linux')
done
[ "$checked" -gt 20 ] || {
  echo "FAILED: only $checked libraries found"
  exit 1
}
[ "$failed" = 0 ] && echo "$checked libraries, all of packages for stage run"
