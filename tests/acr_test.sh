#!/bin/bash
# Runs the commands of docs/acr.md against a build and checks what the page says of them: acr_test.sh BUILD_DIR. Numbers are compared in order and
# size only, as networks differ a little between machines.
set -euo pipefail
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# The example is made once for all tests.
"$build/bin/assay-example" --out "$build/example" 2>/dev/null
ln -s "$build" "$work/build"
ln -s "$build/example" "$work/example"
commands=0
while IFS= read -r line; do
  echo "\$ $line"
  (cd "$work" && eval "$line" >/dev/null 2>"$work/err.txt") || fail "$line"$'\n'"$(cat "$work/err.txt")"
  commands=$((commands + 1))
done < <(sed -n '/^```sh$/,/^```$/p' "$source/docs/acr.md" | grep -v '^```')
[ "$commands" -eq 4 ] || fail "found $commands commands in docs/acr.md"

# The first or last number of that name: of the condition come the samples before and the certificates after those of its classes.
number() { # FILE NAME head|tail
  grep -oE "\"$2\": *-?[0-9.e+-]+" "$work/$1" | "$3" -n 1 | sed 's/.*: *//'
}
holds() { # expression of awk, what it means
  awk "BEGIN { exit !($1) }" || fail "$2: $1"
}
robust=$(number robust.json average_certified_radius tail)
constant=$(number constant.json average_certified_radius tail)
constant_more=$(number constant-10000.json average_certified_radius tail)
holds "$constant > $robust" "the constant model has the larger ACR"
holds "$(number robust.json correct head) > 1.3 * $(number constant.json correct head)" "the network is right more often"
holds "$constant > 0.2463 && $constant < 0.2464" "a tenth of the cap"
holds "$constant_more > 0.3198 && $constant_more < 0.3199" "a tenth of the larger cap"
grep -q 2410.06895 "$work/constant.json" || fail "the report does not warn of the ACR"
echo "$commands commands of docs/acr.md ran; the constant model's ACR is $constant and $constant_more, the network's $robust"
