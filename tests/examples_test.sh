#!/bin/bash
# The examples of deploy/examples and docs/python.md work when copied: examples_test.sh BUILD_DIR
#
# The workflow of GitHub and the job of GitLab are read as YAML, and the commands in them are run with `assay` on the path, beside
# robustness.yaml and the built-in example as model and data. The commands of docs/python.md run against a server.
set -euo pipefail
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
fail() {
  echo "FAILED: $*" >&2
  exit 1
}
python=/usr/bin/python3
$python -c 'import yaml, grpc, numpy, google.protobuf' || fail "a Python package of stage test in packages.txt is missing"

"$build/bin/assay-example" --out "$build/example" >/dev/null
mkdir "$work/bin"
ln -s "$build/bin/assay" "$build/bin/assayd" "$build/bin/assay-engine" "$work/bin/"
export PATH=$work/bin:$PATH

# A copy of the example as a user has it.
fresh() { # FOLDER
  mkdir "$work/$1"
  cp "$source/deploy/examples/robustness.yaml" "$work/$1/"
  for name in images.npy:shapes.npy images_labels.npy:shapes_labels.npy classes.txt:classes.txt model.pt:robust.pt; do
    cp "$build/example/${name#*:}" "$work/$1/${name%%:*}"
  done
}
# The commands of a pipeline, a script for each step.
steps() { # FILE, FOLDER FOR SCRIPTS
  $python - "$1" "$2" <<'END'
import pathlib, sys, yaml
data = yaml.safe_load(open(sys.argv[1]))
scripts = []
if "jobs" in data:
    # YAML 1.1 reads the key `on` as true.
    assert data[True] == ["pull_request"] and data["jobs"]["assay"]["runs-on"], data
    for step in data["jobs"]["assay"]["steps"]:
        assert ("run" in step) != ("uses" in step), step
        if "run" in step:
            scripts.append(step["run"])
else:
    job = data["robustness"]
    assert job["artifacts"]["reports"]["junit"] == "gates.xml" and job["artifacts"]["when"] == "always", job
    scripts += job["script"]
for i, script in enumerate(scripts):
    pathlib.Path(sys.argv[2], f"step{i}.sh").write_text(script + "\n")
END
}
run_steps() { # FOLDER: a failed step does not keep the next ones from running; the first exit code
  local code=0 status
  for script in "$work/$1"/step*.sh; do
    status=0
    # As both run steps: a failing command ends one.
    (cd "$work/$1" && bash -e "$script") >>"$work/$1/log" 2>&1 || status=$?
    [ "$code" != 0 ] || code=$status
  done
  return "$code"
}

export GITHUB_SHA=1a2b3c GITHUB_RUN_ID=7 CI_COMMIT_SHA=1a2b3c CI_PIPELINE_ID=7
for pipeline in github-actions gitlab-ci; do
  fresh "$pipeline"
  export GITHUB_STEP_SUMMARY=$work/$pipeline/summary.md
  steps "$source/deploy/examples/$pipeline.yml" "$work/$pipeline"
  run_steps "$pipeline" || fail "$pipeline: $(cat "$work/$pipeline/log")"
  for file in report.json report.html gates.xml outcomes.csv; do
    [ -s "$work/$pipeline/$file" ] || fail "$pipeline wrote no $file"
  done
  $python - "$work/$pipeline" <<'END' || fail "$pipeline: its results"
import json, sys, xml.etree.ElementTree as xml
folder = sys.argv[1]
report = json.load(open(folder + "/report.json"))
assert report["provenance"]["labels"]["commit"] == "1a2b3c", report["provenance"]
suites = xml.parse(folder + "/gates.xml").getroot()
assert suites.get("tests") == "3" and suites.get("failures") == "0", suites.attrib
END
  # And the gate does keep a model out.
  fresh "$pipeline-refused"
  export GITHUB_STEP_SUMMARY=$work/$pipeline-refused/summary.md
  sed -i 's/accuracy(clean) >= 50%/accuracy(clean) >= 99.9%/' "$work/$pipeline-refused/robustness.yaml"
  steps "$source/deploy/examples/$pipeline.yml" "$work/$pipeline-refused"
  code=0
  run_steps "$pipeline-refused" || code=$?
  [ "$code" = 1 ] || fail "$pipeline: a gate that does not hold gave exit code $code: $(cat "$work/$pipeline-refused/log")"
  grep -q '<failure' "$work/$pipeline-refused/gates.xml" || fail "$pipeline: no failure in gates.xml"
done
grep -q '^| condition |' "$work/github-actions/summary.md" || fail "no table in the summary of the step"
grep -q 'FAILED' "$work/github-actions-refused/summary.md" || fail "the summary does not tell of the gate"

# docs/python.md, in a folder with what the source tree has of it.
fresh python
ln -s "$source/proto" "$source/deploy" "$work/python/"
assayd --listen 127.0.0.1:0 --metrics-port 0 --data-dir "$work/data" --port-file "$work/port" 2>"$work/log" &
server=$!
for ((i = 0; i < 600; ++i)); do
  [ ! -s "$work/port" ] || break
  kill -0 "$server" 2>/dev/null || fail "assayd did not start: $(cat "$work/log")"
  sleep 0.1
done
commands=0
run= inside=
while IFS= read -r line; do
  if [ -n "$inside" ]; then
    if [ "$line" = '```' ]; then
      run= inside=
      continue
    fi
    # The server of this test has a port of its own, and Debian's Python has Debian's packages.
    line=${line//127.0.0.1:8001/127.0.0.1:$(cat "$work/port")}
    line=${line//python3 /$python }
    (cd "$work/python" && PYTHONDONTWRITEBYTECODE=1 bash -ec "$line") >"$work/out" 2>"$work/err" || fail "$line"$'\n'"$(cat "$work/err")"
    commands=$((commands + 1))
  elif [ "$line" = '<!-- test: run -->' ]; then
    run=1
  elif [ "$line" = '```sh' ] && [ -n "$run" ]; then
    inside=1
  fi
done <"$source/docs/python.md"
[ "$commands" = 3 ] || fail "$commands commands in docs/python.md"
grep -qE '^clean 0\.[0-9]{3} \[0\.' "$work/out" || fail "evaluate.py printed: $(cat "$work/out")"
grep -q '^attack/pgd/linf/4-255/steps=5 ' "$work/out" || fail "evaluate.py printed: $(cat "$work/out")"
grep -q '^SUCCEEDED 200$' "$work/err" || fail "evaluate.py watched: $(cat "$work/err")"
# The excerpt is of the file.
sed -n '/^<!-- excerpt/,/^```$/p' "$source/docs/python.md" | sed '1,2d;$d' >"$work/excerpt"
[ "$(wc -l <"$work/excerpt")" = 10 ] || fail "the excerpt of docs/python.md has not ten lines"
while IFS= read -r line; do
  grep -qxF -- "$line" "$source/deploy/examples/evaluate.py" || fail "docs/python.md shows a line that evaluate.py has not: $line"
done <"$work/excerpt"
echo "both pipelines pass and fail as they should; $commands commands of docs/python.md ran"
