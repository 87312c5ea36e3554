#!/bin/bash
# man_pages_test.sh BUILD: the man pages that the programs print are sound, and have every command and flag. 77: no judge here.
set -euo pipefail
build=$1
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command -v mandoc >/dev/null || { echo "mandoc is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

"$build/bin/assay" --man-page >"$work/assay.1"
"$build/bin/assayd" --man-page >"$work/assayd.8"
cp "$source"/deploy/man/* "$work/"
for page in "$work"/*; do
  complaints=$(mandoc -T lint "$page" | grep -v 'referenced manual not found' || true)
  [ -z "$complaints" ] || fail "${page##*/}: $complaints"
done
has() { # PAGE, what it says
  mandoc -T utf8 "$work/$1" | sed 's/.\x08//g' | tr '‐−' '--' >"$work/text"
  grep -qE -- "$2" "$work/text" || fail "$1 does not say $2"
}
for command in evaluate 'model upload' 'evaluation report' 'report recompute' completion; do has assay.1 "^ +assay $command$"; done
has assay.1 '--condition'
for flag in $("$build/bin/assayd" --help | grep -oE -- '^ +(-h,)?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+'); do
  has assayd.8 "^ +(-h, )?$flag( |\$)"
done
# What assay-engine takes is written by hand.
for flag in $("$build/bin/assay-engine" --help 2>&1 | grep -oE -- '--[a-z-]+'); do has assay-engine.8 "$flag"; done
SOURCE_DATE_EPOCH=86400 "$build/bin/assay" --man-page >"$work/dated"
grep -q '^\.TH ASSAY 1 1970-01-02 ' "$work/dated" || fail "SOURCE_DATE_EPOCH does not count"
echo "man pages are sound"
