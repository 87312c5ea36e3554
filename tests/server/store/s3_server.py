#!/usr/bin/env python3
"""A small S3 server of the tests: one bucket in memory, signatures and checksums verified, faults on request.

s3_server.py BUCKET: prints its port, then obeys lines of JSON on standard input, each answered by one on standard output, and ends
with its standard input. Keys are those below. What it can be told ("do"):

  fault    "match": regular expression of "METHOD /bucket/key?query", "kind", "times" (1)
           kinds: status ("status", "code"), cut (closes in the middle of the answer), lost (does what was asked, and closes without
           an answer), wrong (other bytes), slow ("seconds"), deaf (takes the request, never answers)
  away     "away": whether it closes every connection without a word
  advance  "seconds": its clock
  put      "key", "text": makes an object without a request
  remove   "key"
  objects  answers with sizes by key
  requests answers with "METHOD /bucket/key?query" of all requests since the last time
"""
import calendar
import email.utils
import hashlib
import hmac
import http.server
import json
import re
import socket
import sys
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

KEYS = {"test-id": "test/secret+key"}
# Of temporary keys: requests must have this, signed.
TOKENS = {"token-id": ("token/secret", "a+session/token==")}

bucket = sys.argv[1]
lock = threading.Lock()
objects = {}  # key: (bytes, time)
uploads = {}  # id: (key, parts, time)
faults = []
requests = []
state = {"away": False, "offset": 0, "uploads": 0}


def now():
    return time.time() + state["offset"]


def iso(t):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(t))


def etag(data):
    return '"%s"' % hashlib.md5(data).hexdigest()


class Refused(Exception):
    def __init__(self, status, code, message=""):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message or code


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(now(), usegmt=True)

    def verify(self, body):
        """Signature Version 4, of the request as it came."""
        header = self.headers.get("Authorization", "")
        match = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?"
                             r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})", header)
        if not match:
            raise Refused(403, "AccessDenied", "no signature: " + header)
        key_id, day, region, signed, signature = match.groups()
        secret, token = KEYS.get(key_id), None
        if key_id in TOKENS:
            secret, token = TOKENS[key_id]
        if secret is None:
            raise Refused(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        names = signed.split(";")
        must = {"host"} | {name.lower() for name in self.headers if name.lower().startswith("x-amz-")}
        if not must <= set(names) or names != sorted(names) or any(name not in self.headers for name in names):
            raise Refused(403, "AccessDenied", "signed are %s, not %s" % (names, must))
        if token is not None and self.headers.get("x-amz-security-token") != token:
            raise Refused(403, "InvalidToken")
        stamp, claimed = self.headers["x-amz-date"], self.headers["x-amz-content-sha256"]
        moment = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
        if abs(moment - time.time()) > 900 or not stamp.startswith(day):
            raise Refused(403, "RequestTimeTooSkewed")
        path, _, query = self.path.partition("?")
        pairs = sorted(p if "=" in p else p + "=" for p in query.split("&") if p)
        lines = "".join("%s:%s\n" % (name, " ".join(self.headers[name].split())) for name in names)
        canonical = "\n".join([self.command, path, "&".join(pairs), lines, signed, claimed])
        scope = "%s/%s/s3/aws4_request" % (day, region)
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + secret).encode()
        for part in (day, region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        if hmac.new(key, text.encode(), hashlib.sha256).hexdigest() != signature:
            raise Refused(403, "SignatureDoesNotMatch", "canonical request: " + canonical)
        if hashlib.sha256(body).hexdigest() != claimed:
            raise Refused(400, "XAmzContentSHA256Mismatch")

    def respond(self, status, body=b"", headers=(), fault=None):
        kind = fault["kind"] if fault else ""
        if kind == "lost":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if kind == "wrong" and body:
            body = bytes([body[0] ^ 1]) + body[1:]
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if kind == "cut":
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.wfile.write(body)

    def refuse(self, refused):
        body = "<?xml version=\"1.0\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>" % (
            refused.code, escape(refused.message))
        self.respond(refused.status, body.encode(), [("Content-Type", "application/xml")])

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if state["away"]:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        line = "%s %s" % (self.command, self.path)
        fault = None
        with lock:
            requests.append(line)
            for candidate in faults:
                if candidate["times"] > 0 and re.search(candidate["match"], line):
                    candidate["times"] -= 1
                    fault = candidate
                    break
        if fault and fault["kind"] == "slow":
            time.sleep(fault["seconds"])
        if fault and fault["kind"] == "deaf":
            time.sleep(600)
        try:
            self.verify(body)
            if fault and fault["kind"] == "status":
                raise Refused(fault["status"], fault.get("code", "SlowDown"))
            path, _, query = self.path.partition("?")
            parts = urllib.parse.unquote(path).split("/", 2)
            if parts[1] != bucket:
                raise Refused(404, "NoSuchBucket", "The specified bucket does not exist")
            values = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
            key = parts[2] if len(parts) > 2 else ""
            with lock:
                answer = self.answer(key, values, body)
            self.respond(*answer, fault=fault)
        except Refused as refused:
            self.refuse(refused)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one

    def answer(self, key, query, body):
        method = self.command
        if not key and method == "GET":
            return self.list_uploads(query) if "uploads" in query else self.list(query)
        if method == "POST" and "uploads" in query:
            state["uploads"] += 1
            upload = "upload/%d+=" % state["uploads"]
            uploads[upload] = (key, {}, now())
            return 200, ("<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>" % upload).encode()
        if "uploadId" in query:
            return self.part(key, query, body)
        if method == "PUT":
            source = self.headers.get("x-amz-copy-source")
            if source is not None:
                name = urllib.parse.unquote(source).lstrip("/").split("/", 1)[1]
                if name not in objects:
                    raise Refused(404, "NoSuchKey")
                objects[key] = (objects[name][0], now())
                return 200, b"<CopyObjectResult><ETag>x</ETag></CopyObjectResult>"
            objects[key] = (body, now())
            return 200, b"", [("ETag", etag(body))]
        if method == "DELETE":
            objects.pop(key, None)
            return 204, b""
        if key not in objects:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.")
        data, modified = objects[key]
        headers = [("ETag", etag(data)), ("Last-Modified", email.utils.formatdate(modified, usegmt=True))]
        if method == "HEAD":
            return 200, b"", headers + [("Content-Length", str(len(data)))]
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not match:
            return 200, data, headers
        first = int(match.group(1))
        last = min(int(match.group(2) or len(data) - 1), len(data) - 1)
        if first >= len(data):
            raise Refused(416, "InvalidRange")
        return 206, data[first:last + 1], headers + [("Content-Range", "bytes %d-%d/%d" % (first, last, len(data)))]

    def list(self, query):
        if query.get("list-type") != "2":
            raise Refused(501, "NotImplemented")
        most = int(query.get("max-keys", 1000))
        found = sorted(k for k in objects if k.startswith(query.get("prefix", "")) and k > query.get("start-after", ""))
        text = "<ListBucketResult><IsTruncated>%s</IsTruncated>" % ("true" if len(found) > most else "false")
        for name in found[:most]:
            data, modified = objects[name]
            text += ("<Contents><Key>%s</Key><LastModified>%s</LastModified><ETag>%s</ETag><Size>%d</Size></Contents>" %
                     (escape(name), iso(modified), escape(etag(data), {'"': "&quot;"}), len(data)))
        return 200, (text + "</ListBucketResult>").encode()

    def list_uploads(self, query):
        text = "<ListMultipartUploadsResult>"
        for upload, (key, _, begun) in uploads.items():
            if key.startswith(query.get("prefix", "")):
                text += "<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>%s</Initiated></Upload>" % (key, upload, iso(begun))
        return 200, (text + "</ListMultipartUploadsResult>").encode()

    def part(self, key, query, body):
        upload = query["uploadId"]
        if upload not in uploads or uploads[upload][0] != key:
            raise Refused(404, "NoSuchUpload")
        parts = uploads[upload][1]
        if self.command == "DELETE":
            del uploads[upload]
            return 204, b""
        if self.command == "PUT":
            parts[int(query["partNumber"])] = body
            return 200, b"", [("ETag", etag(body))]
        named = re.findall(r"<PartNumber>(\d+)</PartNumber><ETag>([^<]*)</ETag>", body.decode())
        data = b""
        for number, tag in named:
            part = parts.get(int(number))
            if part is None or tag.replace("&quot;", '"') != etag(part):
                raise Refused(400, "InvalidPart")
            data += part
        del uploads[upload]
        objects[key] = (data, now())
        return 200, b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>"


def obey(told):
    do = told.pop("do")
    if do == "fault":
        faults.append({"times": 1, **told})
    elif do == "heal":
        faults.clear()
    elif do == "away":
        state["away"] = told["away"]
    elif do == "advance":
        state["offset"] += told["seconds"]
    elif do == "put":
        objects[told["key"]] = (told["text"].encode(), now())
    elif do == "remove":
        del objects[told["key"]]
    elif do == "objects":
        return {key: len(data) for key, (data, _) in objects.items()}
    elif do == "uploads":
        return len(uploads)
    elif do == "requests":
        seen = list(requests)
        requests.clear()
        return seen
    return None


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
for line in sys.stdin:
    with lock:
        reply = obey(json.loads(line))
    print(json.dumps(reply), flush=True)
