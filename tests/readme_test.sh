#!/bin/bash
# Runs every command of README.md against a build: readme_test.sh BUILD_DIR. Checks docs/operations.md against the server's flags and
# metrics on the way.
#
# Commands are the lines of ```sh and ```console blocks ("$ " before a command is dropped). They run in a directory of their own, in which
# build/bin, model.pt, images.npy and images_labels.npy are what README.md says, the built-in example in the part of the user's own
# files. A comment before a block tells how to run it:
#   <!-- test: background -->  started, and stopped at the end
#   <!-- test: make -->        the front door itself: `make -n` and scripts/demo stand in, since a test that builds would not end
# The server takes a free port instead of the usual one, so several tests can run at once.
set -euo pipefail
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
background=()
finish() {
  for pid in "${background[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT
fail() {
  echo "FAILED: $*" >&2
  [ ! -s "$work/server.log" ] || sed 's/^/  server: /' "$work/server.log" >&2
  exit 1
}

mkdir -p "$work/build/bin"
cat >"$work/build/bin/assayd" <<END
#!/bin/bash
exec '$build/bin/assayd' --listen 127.0.0.1:0 --metrics-port 0 --port-file '$work/port' "\$@" 2>'$work/server.log'
END
cat >"$work/build/bin/assay" <<END
#!/bin/bash
[ ! -s '$work/port' ] || export ASSAY_SERVER=127.0.0.1:\$(cat '$work/port')
exec '$build/bin/assay' "\$@"
END
chmod +x "$work/build/bin/assayd" "$work/build/bin/assay"

# Waits for the server of a background block.
await_server() {
  for ((i = 0; i < 600; ++i)); do
    [ ! -s "$work/port" ] || return 0
    kill -0 "$1" 2>/dev/null || break
    sleep 0.1
  done
  fail "assayd did not start"
}

run_block() { # MODE, commands on standard input
  local mode=$1 pid line
  local -a lines
  mapfile -t lines
  case $mode in
    make)
      for line in "${lines[@]}"; do
        read -r -a words <<<"${line%%#*}"
        [ "${words[0]}" = make ] || fail "not a make command: $line"
        make -n -C "$source" "${words[@]:1}" >/dev/null || fail "$line"
      done
      "$source/scripts/demo" "$build" >"$work/demo.txt" || fail "scripts/demo"
      grep -q '^robust.pt:' "$work/demo.txt" || fail "scripts/demo did not reach its end"
      for name in images.npy:shapes.npy images_labels.npy:shapes_labels.npy classes.txt:classes.txt model.pt:robust.pt; do
        cp "$build/example/${name#*:}" "$work/${name%%:*}"
      done
      ;;
    background)
      [ ${#lines[@]} -eq 1 ] || fail "a background block has one command"
      (cd "$work" && eval "exec ${lines[0]}") &
      pid=$!
      background+=("$pid")
      await_server "$pid"
      ;;
    *)
      for line in "${lines[@]}"; do
        echo "\$ $line"
        (cd "$work" && eval "$line" >/dev/null 2>"$work/err.txt") ||
          fail "$line"$'\n'"$(cat "$work/err.txt")"
      done
      ;;
  esac
  commands=$((commands + ${#lines[@]}))
}

commands=0
mode=
block=
inside=
while IFS= read -r line; do
  if [ -n "$inside" ]; then
    if [ "$line" = '```' ]; then
      run_block "$mode" <<<"${block%$'\n'}"
      inside='' mode='' block=''
    elif [ -n "$line" ]; then
      block+="${line#\$ }"$'\n'
    fi
    continue
  fi
  case "$line" in
    '```sh' | '```console') inside=1 ;;
    '<!-- test: '*' -->') mode=${line#<!-- test: } mode=${mode% -->} ;;
  esac
done <"$source/README.md"
[ "$commands" -ge 8 ] || fail "found only $commands commands in README.md"

# What the commands above were said to write.
for file in report.json outcomes.csv adversarials/attack_pgd_linf_8-255.npy assay-data/assay.db; do
  [ -s "$work/$file" ] || fail "$file was not written"
done

operations=$source/docs/operations.md
for flag in $("$build/bin/assayd" --help | grep -oE -- '^ +(-h,)?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+'); do
  grep -q -- "\`${flag}[ \`]" "$operations" || fail "$flag of assayd is not in docs/operations.md"
done
http=$(grep -oE 'metrics on [0-9.:]+' "$work/server.log" | head -n 1)
exec 3<>"/dev/tcp/127.0.0.1/${http##*:}"
printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
metrics=$(grep -oE '^# TYPE [a-z_]+' <&3 | cut -d ' ' -f 3)
exec 3>&-
[ -n "$metrics" ] || fail "no metrics"
for metric in $metrics; do
  # Ends of intervals are documented with what they are the ends of.
  value=${metric%_lower}
  value=${value%_upper}
  grep -q "\`$value\`" "$operations" || fail "$metric is not in docs/operations.md"
done
# What only some servers have is in a table of its own.
everywhere=$(sed '/<!-- test: not on every server -->/,/^$/d' "$operations")
while read -r metric; do
  # The oldest task is absent when nothing waits.
  [[ $metric =~ ^assay_(queue_oldest|certificate_expiry)_timestamp_seconds$ ]] || grep -qx "$metric" <<<"$metrics" ||
    fail "docs/operations.md has $metric, the server has not"
done < <(grep -E '^\| .(assay|grpc|process)_' <<<"$everywhere" | cut -d '|' -f 2 | grep -oE '[a-z_]{4,}')

for page in "$source"/README.md "$source"/docs/*.md "$source"/docs/*/*.md "$source"/bench/*.md; do
  for link in $(grep -ohE '\]\([a-z0-9/._-]+\)' "$page" | tr -d '()]' | sort -u); do
    [ -e "$(dirname "$page")/$link" ] || fail "$page links to $link, which does not exist"
  done
done
echo "$commands commands of README.md ran; flags, metrics and links of docs/ are right"
