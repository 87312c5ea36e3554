#!/bin/bash
# What bench/side_by_side does with two commands, none of which is Assay or a peer, and whether the comparisons that are written
# down there can be asked for: side_by_side_test.sh BUILD_DIR. Ends with 77, for "skipped", without Python 3.
set -euo pipefail
if ! command -v python3 >/dev/null; then
  echo "SKIPPED: no python3"
  exit 77
fi
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT
cd "$work"
fail() {
  echo "FAILED: $*" >&2
  cat "$work/out" "$work/err" >&2
  exit 1
}

# fake NAME DIRECTORY BURN FILE TEXT...: notes that it ran, spends CPU time, and writes the files. BURN is none; child, which
# spends a third of a second in a child; or orphan, likewise in a grandchild that outlives it.
cat >fake <<'END'
import os, sys, time
name, directory, burn, *files = sys.argv[1:]
with open("order", "a") as order:
    print(name, file=order)
def spend():
    while time.process_time() < 0.33:
        pass
    os._exit(0)
if burn != "none":
    if os.fork() == 0:
        if burn == "orphan" and os.fork() != 0:
            os._exit(0)
        spend()
    os.wait()
for file, text in zip(files[::2], files[1::2]):
    with open(os.path.join(directory, file), "w") as out:
        out.write(text)
END

# compare WANTED_STATUS PEER_ARGUMENTS ASSAY_ARGUMENTS [OPTION...]
compare() {
  local wanted=$1 peer=$2 assay=$3 status=0
  shift 3
  "$source/bench/side_by_side" --peer "python3 fake peer {out} $peer" --assay "python3 fake assay {out} $assay" "$@" \
    >out 2>err || status=$?
  [ "$status" -eq "$wanted" ] || fail "exit status $status instead of $wanted: $peer; $assay; $*"
}
shows() {
  grep -qF -- "$1" out || fail "the output lacks: $1"
}

# Two images of three are robust.
outcomes=$'condition,sample,label,prediction,correct,attacked,success,norm,radius
attack/x,0,3,3,1,1,0,,
attack/x,2,5,5,1,1,0,,
attack/x,1,3,5,0,1,1,0.25,'
report='{"conditions": [{}], "passes": {"forwards": "210", "needed_forwards": "200"}}'
robust='none result.json "{\"robust\": [true, false, true]}"'

# Turns, CPU time of everything that was started, and what is kept.
compare 0 "orphan ${robust#none }" "child outcomes.csv '$outcomes' report.json '$report'" --rounds 2 --results kept --name pair
[ "$(tr '\n' ' ' <order)" = "peer assay peer assay " ] || fail "not in turns: $(cat order)"
shows "robust 2 and 2 of 3, 0 differ"
shows "all 1.050"
python3 - <<'END' || fail "CPU seconds: $(cat kept)"
import json
rounds = json.load(open("kept"))["rounds"]
assert len(rounds) == 2
assert all(0.33 <= each[side]["cpu"] < 5 for each in rounds for side in ("peer", "assay"))
END

# Disagreement, and how much is borne.
other='none result.json "{\"robust\": [true, true, true]}"'
compare 1 "$robust" "$other" --rounds 3
shows "robust 2 and 3 of 3, 1 differ: DISAGREE"
compare 0 "$robust" "$other" --rounds 1 --differ 1
compare 1 "$robust" 'none result.json "{\"robust\": [true, true, false]}"' --rounds 1 --differ 1

# Distances: longer ones disagree, shorter ones do not. The third image is wrong from the start.
distance() { echo "none result.json '{\"distance\": [$1]}'"; }
compare 0 "$(distance '0.5, null, 0')" "$(distance '0.504, null, 0')" --rounds 1
shows "0 of 3 differ in having one, median ratio of distances 1.008"
compare 0 "$(distance '0.5, null, 0')" "$(distance '0.3, null, 0')" --rounds 1
compare 1 "$(distance '0.5, null, 0')" "$(distance '0.6, null, 0')" --rounds 1
compare 1 "$(distance '0.5, null, 0')" "$(distance '0.5, 0.5, 0')" --rounds 1
compare 1 "$(distance '0.5, null, 0')" "$(distance '0.5, null, 0.1')" --rounds 1
compare 0 "$(distance '0.2, 0.25')" "none outcomes.csv '$(sed 's/^attack.*,2,.*//;/^$/d;s/0,,$/1,0.2,/' <<<"$outcomes")'" --rounds 1

# Certificates.
certified() { echo "none result.json '{\"prediction\": [$1], \"radius\": [$2]}'"; }
compare 0 "$(certified '3, -1' '0.5, 0')" "$(certified '3, -1' '0.505, 0')" --rounds 1
compare 1 "$(certified '3, -1' '0.5, 0')" "$(certified '3, -1' '0.4, 0')" --rounds 1
compare 1 "$(certified '3, -1' '0.5, 0')" "$(certified '3, 4' '0.5, 0.1')" --rounds 1

# Assay's outcomes are the same every time.
echo 0 >count
cat >moody <<'END'
import json, sys
count = int(open("count").read()) + 1
open("count", "w").write(str(count))
json.dump({"robust": [count % 2 == 0, False, True]}, open(sys.argv[1] + "/result.json", "w"))
END
status=0
"$source/bench/side_by_side" --rounds 2 --differ 1 --peer "python3 fake peer {out} $robust" --assay "python3 moody {out}" \
  >out 2>err || status=$?
[ "$status" -eq 1 ] || fail "outcomes that change gave exit status $status"
shows "Assay's results differ between rounds"

# Failures and wrong usage.
compare 3 "none" "$robust" --rounds 1
grep -q "neither result.json nor outcomes.csv" err || fail "a result that is missing"
compare 3 "nonsense" "$robust" --rounds 1
compare 3 "$(distance '0.5')" "$robust" --rounds 1
status=0
"$source/bench/side_by_side" --suite no/such >out 2>err || status=$?
[ "$status" -eq 2 ] || fail "an unknown comparison gave exit status $status"

# What is ended ends its command, too.
cat >endless <<'END'
import os, time
open("pid.new", "w").write(str(os.getpid()))
os.rename("pid.new", "pid")
while True:
    time.sleep(1)
END
"$source/bench/side_by_side" --peer "python3 endless" --assay "python3 endless" >out 2>err &
harness=$!
until [ -s pid ]; do
  kill -0 "$harness" 2>/dev/null || fail "the command did not start"
  sleep 0.1
done
kill "$harness"
status=0
wait "$harness" || status=$?
[ "$status" -eq 143 ] || fail "SIGTERM gave exit status $status"
! kill -0 "$(cat pid)" 2>/dev/null || fail "the command is still there"

# Records as a table, the last of each name.
compare 0 "$robust" "$robust" --rounds 1 --results kept --name pair
"$source/bench/side_by_side" --table kept >out 2>err || fail "--table"
[ "$(grep -c '^| pair | 2 |' out)" -eq 1 ] || fail "--table has not one row for pair"

# The comparisons: conditions that Assay takes, scripts that exist and are Python.
"$source/bench/side_by_side" --list >list
[ "$(wc -l <list)" -ge 15 ] || fail "--list"
"$build/bin/assayd" --listen 127.0.0.1:0 --metrics-port 0 --data-dir data --port-file port >/dev/null 2>err &
server=$!
until [ -s port ]; do
  kill -0 "$server" 2>/dev/null || fail "assayd did not start"
  sleep 0.1
done
cut -f 2 list | sort -u | xargs "$build/bin/assay" --server "127.0.0.1:$(cat port)" conditions >out 2>err ||
  fail "conditions of the comparisons"
cut -f 3 list | cut -d ' ' -f 1 | sort -u >scripts
[ "$(wc -l <scripts)" -eq 4 ] || fail "scripts of peers: $(cat scripts)"
sed "s|.*|$source/bench/peers/&|" scripts | xargs python3 -c '
import ast, sys
for path in sys.argv[1:]: ast.parse(open(path).read(), path)' >out 2>err || fail "scripts of peers"
echo "bench/side_by_side takes turns, counts, compares and keeps"
