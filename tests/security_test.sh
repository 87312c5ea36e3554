#!/bin/bash
# docs/security.md works when copied, and the server is what it says from outside: security_test.sh BUILD_DIR
#
# The commands run against the built programs; `openssl s_client` looks at versions and ciphers.
set -euo pipefail
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
servers=()
finish() {
  for server in "${servers[@]}"; do
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT
fail() {
  echo "FAILED: $*" >&2
  [ ! -s "$work/server.log" ] || sed 's/^/  server: /' "$work/server.log" >&2
  exit 1
}
has() { # TEXT, PATTERN
  grep -qE -- "$2" <<<"$1" || fail "'$2' is not in: $1"
}
command -v openssl >/dev/null || fail "openssl of stage test in packages.txt is missing"

cd "$work"
ln -s "$source/scripts" scripts
mkdir -p build/bin
ln -s "$build/bin/assay" build/bin/assay
# The server of the page, on a free port, and where the page means it: gpu-3 is this machine.
cat >build/bin/assayd <<END
#!/bin/bash
exec '$build/bin/assayd' "\${@//0.0.0.0:8001/127.0.0.1:0}" --metrics-port 0 --port-file '$work/port' --data-dir '$work/data' --devices cpu 2>>'$work/server.log'
END
chmod +x build/bin/assayd
# Lines of the block of the page that is marked so.
block() { # MARK
  awk -v mark="<!-- test: $1 -->" '$0 == mark { found = 1 } found && /^```/ { if (inside) exit; inside = 1; next } found && inside' \
    "$source/docs/security.md"
}
await_port() { # PID
  for ((i = 0; i < 600; ++i)); do
    [ ! -s "$work/port" ] || return 0
    kill -0 "$1" 2>/dev/null || fail "assayd did not start"
    sleep 0.1
  done
  fail "assayd does not serve"
}

mapfile -t server_lines < <(block server)
[ "${#server_lines[@]}" = 3 ] || fail "docs/security.md has ${#server_lines[@]} commands for the server"
eval "${server_lines[0]}" >/dev/null
eval "${server_lines[1]}" 2>/dev/null
exec 8>"$work/server.out"
bash -c "exec ${server_lines[2]}" >&8 2>&1 &
servers+=("$!")
await_port "$!"
port=$(cat port)
mapfile -t client_lines < <(block client)
[ "${#client_lines[@]}" = 2 ] || fail "docs/security.md has ${#client_lines[@]} commands for clients"
for line in "${client_lines[@]}"; do
  eval "${line//gpu-3:8001/127.0.0.1:$port}" >out.txt || fail "$line"
done

# What others are told: FLAGS..., exit code, text.
refused() { # CODE, PATTERN, ARGUMENTS OF assay...
  local code=0 text pattern=$2 wanted=$1
  shift 2
  text=$("$build/bin/assay" "$@" model list 2>&1 >/dev/null) || code=$?
  [ "$code" = "$wanted" ] || fail "assay $*: exit code $code, not $wanted: $text"
  has "$text" "$pattern"
  has "$text" '^hint: |^error: '
}
plain=127.0.0.1:$port
ASSAY_TOKEN_FILE='' refused 6 'the call has no token' --ca certs/ca.crt
echo not-a-token-of-this-server >other.token
refused 6 'not one of this server' --ca certs/ca.crt --token-file other.token
refused 6 'signed by nobody that is trusted' # without the authority
scripts/dev-certificates others >/dev/null
refused 6 'signed by nobody that is trusted' --ca others/ca.crt
refused 6 'is not of somewhere.example but of .*localhost' --ca certs/ca.crt --tls-name somewhere.example
refused 7 "does it want TLS\? then write grpcs://$plain" --server "$plain"
refused 2 'a token is not sent unencrypted to another machine' --server 192.0.2.1:8001
refused 2 'is for servers with TLS: write --server grpcs://' --server "$plain" --ca certs/ca.crt
refused 2 'token_file: .*No such file' --ca certs/ca.crt --token-file no.token
printf 'half\na token' >odd.token
refused 2 'must have one token and nothing else' --ca certs/ca.crt --token-file odd.token
cp me.token open.token && chmod 644 open.token
"$build/bin/assay" --ca certs/ca.crt --token-file open.token model list 2>err.txt >/dev/null
has "$(cat err.txt)" 'warning: others can read the token'
"$build/bin/assay" token new reader --scopes read --expires 90d --secret reader.token >>tokens 2>/dev/null
for ((i = 0; i < 300; ++i)); do # until the server has seen it
  ! "$build/bin/assay" --ca certs/ca.crt --token-file reader.token model list >/dev/null 2>&1 || break
  sleep 0.1
done
text=$("$build/bin/assay" --ca certs/ca.crt --token-file reader.token model delete models/no 2>&1) && fail "a reader may delete"
has "$text" 'may read; ModelService/DeleteModel needs admin'
! "$build/bin/assay" token new reader --scopes read --secret reader.token 2>/dev/null || fail "a secret was overwritten"
has "$("$build/bin/assay" -q token new x --scopes read,submit | head -1)" '^assay_[A-Za-z0-9_-]{43}$'

# The audit log: who, what, which; opened anew after it was moved.
has "$(cat audit.jsonl)" '"who":"reader".*"method":"/assay.v1.ModelService/DeleteModel","resource":"models/no".*"allowed":false'
! grep -q "$(cat me.token)" audit.jsonl server.log || fail "a secret was logged"
mv audit.jsonl audit.jsonl.1
kill -HUP "${servers[0]}"
for ((i = 0; i < 300; ++i)); do
  [ ! -e audit.jsonl ] || break
  sleep 0.1
done
[ -e audit.jsonl ] || fail "SIGHUP did not open the audit log anew"
# And read, rotated as it is.
mapfile -t audit_lines < <(block audit)
[ "${#audit_lines[@]}" = 2 ] || fail "docs/security.md has ${#audit_lines[@]} commands for the audit log"
for line in "${audit_lines[@]}"; do
  eval "build/bin/${line//assay admin/assay --ca certs/ca.crt admin}" >audit.out || fail "$line"
done
has "$("$build/bin/assay" --ca certs/ca.crt admin audit --denied --who reader)" 'reader +ModelService/DeleteModel +models/no +refused: PERMISSION_DENIED'
has "$("$build/bin/assay" --ca certs/ca.crt --token-file reader.token admin audit 2>&1)" 'AdminService/ListAuditEntries needs admin'

# Versions and ciphers, from a client that would take the weakest.
speak() { openssl s_client -connect "$plain" -alpn h2 -CAfile certs/ca.crt "$@" </dev/null 2>&1; }
for version in tls1 tls1_1; do
  ! speak "-$version" -cipher 'ALL:@SECLEVEL=0' | grep -qE 'Cipher is [A-Z]+[^ ]*-' || fail "$version is accepted"
done
has "$(speak -tls1_2)" 'Cipher is (ECDHE-ECDSA|ECDHE-RSA)-(AES...-GCM|CHACHA20)'
has "$(speak -tls1_3)" 'Cipher is TLS_(AES|CHACHA20)'
accepted=0
for cipher in $(openssl ciphers -tls1_2 'ALL:COMPLEMENTOFALL:@SECLEVEL=0' | tr ':' ' '); do
  speak -tls1_2 -cipher "$cipher:@SECLEVEL=0" | grep -q "Cipher is $cipher" || continue
  accepted=$((accepted + 1))
  [[ $cipher =~ ^ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)$ ]] || fail "$cipher is accepted"
done
[ "$accepted" -ge 2 ] || fail "no cipher of TLS 1.2 is accepted"

# The certificate changes while the server runs.
serial() { openssl s_client -connect "$plain" -alpn h2 </dev/null 2>/dev/null | openssl x509 -noout -serial; }
before=$(serial)
scripts/dev-certificates certs gpu-3 >/dev/null
for ((i = 0; i < 300; ++i)); do
  [ "$(serial)" = "$before" ] || break
  sleep 0.1
done
[ "$(serial)" != "$before" ] || fail "the new certificate is not taken"

# Starts that fail, with the flag.
start_fails() { # PATTERN, FLAGS...
  local pattern=$1 text
  shift
  [[ " $* " == *' --listen '* ]] || set -- --listen 127.0.0.1:0 "$@"
  text=$("$build/bin/assayd" --metrics-port 0 --data-dir other-data --devices cpu "$@" 2>&1) && fail "assayd $* starts"
  has "$text" "$pattern"
}
start_fails '--listen: 0.0.0.0 is reachable .*--tls-cert.*--tokens' --listen 0.0.0.0:0
start_fails '--tls-key: is missing' --tls-cert certs/server.crt
start_fails '--tls-key: others/server.key is not the key' --tls-cert certs/server.crt --tls-key others/server.key
start_fails '--tls-cert: no.crt cannot be read: No such file' --tls-cert no.crt --tls-key certs/server.key
start_fails '--tls-client-ca: tokens has no certificate' --tls-cert certs/server.crt --tls-key certs/server.key --tls-client-ca tokens
echo '{"name": "x"}' >bad-tokens
start_fails '--tokens bad-tokens:1: .*must be a list' --tokens bad-tokens
start_fails '--audit-log: /no/where cannot be written' --audit-log /no/where
start_fails '--metrics-tls: needs --tls-cert' --metrics-tls

# Client certificates, and TLS for the metrics.
rm -f port server.log
"$build/bin/assayd" --listen 127.0.0.1:0 --metrics-port 0 --metrics-tls --port-file "$work/port" --data-dir "$work/data2" --devices cpu \
  --tls-cert certs/server.crt --tls-key certs/server.key --tls-client-ca certs/ca.crt 2>"$work/server.log" &
servers+=("$!")
await_port "$!"
export ASSAY_SERVER=grpcs://127.0.0.1:$(cat port) ASSAY_TOKEN_FILE=
refused 6 'it wants a certificate of the client' --ca certs/ca.crt
refused 6 "does not accept the client's certificate" --ca certs/ca.crt --cert others/client.crt --key others/client.key
refused 2 'key: .*is not the key of the first certificate' --ca certs/ca.crt --cert certs/client.crt --key others/client.key
"$build/bin/assay" --ca certs/ca.crt --cert certs/client.crt --key certs/client.key model list >/dev/null ||
  fail "a client certificate is not enough"
metrics=127.0.0.1:$(grep -oE 'metrics on [0-9.:]+' server.log | head -n 1 | grep -oE '[0-9]+$')
answer=$(printf 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' |
  openssl s_client -quiet -connect "$metrics" -CAfile certs/ca.crt -verify_return_error 2>/dev/null) || true
has "$answer" '200 OK'
! openssl s_client -connect "$metrics" -tls1_1 -cipher 'ALL:@SECLEVEL=0' </dev/null 2>&1 | grep -qE 'Cipher is [A-Z]+[^ ]*-' ||
  fail "the metrics accept TLS 1.1"

# Python, as docs/python.md has it.
if /usr/bin/python3 -c 'import grpc' 2>/dev/null; then
  awk '/^<!-- test: secure -->/ { found = 1 } found && /^```/ { if (inside) exit; inside = 1; next } found && inside' \
    "$source/docs/python.md" >snippet.py
  [ -s snippet.py ] || fail "docs/python.md has no secure channel"
  { echo 'import grpc'; sed "s/gpu-3:8001/$plain/" snippet.py
    echo 'print(len(channel.unary_unary("/assay.v1.ModelService/ListModels")(b"", timeout=60)))'; } >secure.py
  /usr/bin/python3 secure.py >/dev/null || fail "docs/python.md"
else
  echo "python3-grpcio is not there: docs/python.md was not tried"
fi
echo "docs/security.md ran; $accepted ciphers of TLS 1.2, all of them strong"
