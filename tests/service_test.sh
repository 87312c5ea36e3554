#!/bin/bash
# service_test.sh BUILD: systemd understands the unit and finds it well shut off; it waits longer than assayd takes to stop; the
# package's scripts parse. 77: no systemd here.
set -euo pipefail
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
fail() { echo "FAILED: $*" >&2; exit 1; }

for script in postinst prerm postrm; do
  sh -n "$source/deploy/debian/$script" || fail "$script does not parse"
  [ -x "$source/deploy/debian/$script" ] || fail "$script is not executable"
done
command -v systemd-analyze >/dev/null || { echo "systemd is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# As it stands, but for the program and the manual, which are not installed here.
sed "s#^ExecStart=/usr/bin/assayd#ExecStart=$build/bin/assayd#; /^Documentation=/d" "$source/deploy/systemd/assayd.service" >"$work/assayd.service"
check() { # WHAT, highest exposure
  local complaints exposure
  complaints=$(systemd-analyze verify "$work/assayd.service" 2>&1 | grep 'assayd' || true)
  [ -z "$complaints" ] || fail "$1: $complaints"
  exposure=$(systemd-analyze security --offline=yes "$work/assayd.service" 2>/dev/null | grep -oE 'exposure level.*: [0-9.]+' | grep -oE '[0-9.]+$')
  awk -v value="$exposure" -v most="$2" 'BEGIN { exit !(value > 0 && value <= most) }' || fail "$1: exposure is $exposure, not $2 at most"
  echo "$1: exposure $exposure"
}
check assayd.service 1.5
# A drop-in adds lines.
{ cat "$work/assayd.service"; sed '/^\[Service\]/,$!d' "$source/deploy/systemd/gpu.conf"; } >"$work/both"
mv "$work/both" "$work/assayd.service"
check 'with gpu.conf' 1.8

stop=$(sed -n 's/^TimeoutStopSec=//p' "$source/deploy/systemd/assayd.service")
exit_timeout=$("$build/bin/assayd" --no-config --example-config | sed -n 's/^#exit-timeout: //p')
[ "$stop" -gt "$exit_timeout" ] || fail "TimeoutStopSec=$stop is not above --exit-timeout, $exit_timeout"
