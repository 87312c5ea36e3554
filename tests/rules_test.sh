#!/bin/bash
# Rules of deploy/prometheus: valid, each alert fires and does not fire, has a runbook, and names only metrics of
# docs/operations.md, which readme_test compares with a running server.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
rules=$source/deploy/prometheus/rules.yml
command -v promtool >/dev/null || { echo "promtool is not installed"; exit 77; }
fail() { echo "rules_test: $*" >&2; exit 1; }

cd "$source/deploy/prometheus"
promtool check config prometheus.yml
promtool test rules rules_test.yml

alerts=$(sed -n 's/^ *- alert: //p' "$rules")
[ -n "$alerts" ] || fail "no alerts in $rules"
for alert in $alerts; do
  grep -q "^## $alert\$" "$source/docs/runbooks.md" || fail "$alert has no section in docs/runbooks.md"
  grep -q "runbook_url: docs/runbooks.md#${alert,,}\$" "$rules" || fail "$alert has no link to its runbook"
  for state in fires "is quiet"; do
    grep -q "# $alert: $state\$" rules_test.yml || fail "rules_test.yml does not show that $alert $state"
  done
done
for section in $(sed -n 's/^## //p' "$source/docs/runbooks.md"); do
  grep -qx "$section" <<<"$alerts" || fail "docs/runbooks.md has $section, which is no alert"
done

# Metrics that only some servers have are in the table of operations.md, too.
documented() { # NAME
  grep -qE "\`${1%_count}\`" "$source/docs/operations.md" && return
  # Ends of intervals are documented with what they are the ends of.
  local value=${1%_lower}
  value=${value%_upper}
  [ "$value" != "$1" ] && grep -qE "^\| .*\`$value\`.*\| .*interval" "$source/docs/operations.md"
}
for metric in $(grep -v '^ *#' "$rules" | grep -oE '\b(assay|grpc_server)_[a-z_0-9]+' | sort -u); do
  documented "$metric" || fail "$metric is not in docs/operations.md"
done
# Expressions of panels, as rules: they parse, and name metrics and recorded series that exist.
panels=$(mktemp); trap 'rm -f "$panels"' EXIT
python3 - "$source/tests/dashboards" >"$panels" <<'END'
import json, sys
sys.path.insert(0, sys.argv[1])
import dashboards
rules = [{"record": f"panel:{i}:{panel['id']}:{target['refId']}", "expr": expression}
         for i, board in enumerate(dashboards.boards().values()) for panel, target, expression in dashboards.queries(board)]
assert len(rules) > 50, rules
print(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
END
promtool check rules "$panels"
for metric in $(grep -oE '\b(assay|grpc_server|process)_[a-z_0-9]+' "$panels" | sort -u); do
  documented "${metric%_bucket}" || fail "a panel's $metric is not in docs/operations.md"
done
for recorded in $(grep -oE '\bassay:[a-z_0-9:]+' "$panels" | sort -u); do
  grep -q "record: $recorded\$" "$rules" || fail "a panel's $recorded is not recorded"
done
echo "$(wc -w <<<"$alerts") alerts are right"
