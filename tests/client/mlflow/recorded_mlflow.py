#!/usr/bin/env python3
"""Stands in for an MLflow tracking server: recorded_mlflow.py LOG [MODE].

Answers the calls that Assay makes as MLflow 3.17.2 answered them on 2026-11-30 (`mlflow server` with a
file store of its own), and refuses what that refuses: keys, numbers of entries, sizes, params that change. Prints its port, and
appends every request to LOG as a line of JSON. MODE: ok; auth (401 without user "u", password "p" or token "t"); html (a page with
status 200); login (302 to one); busy (503 to every first attempt); slow (answers nothing until it is stopped); local (artifacts
where only the server can write); taken (the run has another assay.model already); notfound (404 with a page).
"""
import base64
import json
import re
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOG, MODE = sys.argv[1], (sys.argv + ["ok"])[2]
LOCK = threading.Lock()
SEEN = set()
# The experiments that it has, and what was logged.
EXPERIMENTS = {"Default": "0"}
PARAMS = {"assay.model": "other"} if MODE == "taken" else {}
KEY = re.compile(r"^[/\w.\- ]+$", re.ASCII)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, content_type="application/json", headers=()):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status, code, message):
        self.answer(status, {"error_code": code, "message": message})

    def handle_any(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        path, _, query = self.path.partition("?")
        with LOCK, open(LOG, "a") as log:
            entry = {
                "method": self.command, "path": path, "query": dict(urllib.parse.parse_qsl(query)),
                "authorization": self.headers.get("Authorization", ""),
                "type": self.headers.get("Content-Type", ""), "size": length,
                "body": body.decode("utf-8", "replace")}
            log.write(json.dumps(entry) + "\n")
            first = (self.command, self.path) not in SEEN
            SEEN.add((self.command, self.path))
        if MODE == "slow":
            threading.Event().wait()
        if MODE == "html":
            return self.answer(200, "<!doctype html><html><title>Welcome</title></html>", "text/html; charset=utf-8")
        if MODE == "notfound":
            return self.answer(404, "<html><h1>Not Found</h1></html>", "text/html")
        if MODE == "login":
            return self.answer(302, "", "text/html", [("Location", "https://login.example/")])
        if MODE == "busy" and first:
            return self.answer(503, "try later", "text/plain")
        if MODE == "auth":
            basic = "Basic " + base64.b64encode(b"u:p").decode()
            if self.headers.get("Authorization") not in (basic, "Bearer t"):
                return self.answer(401, "You are not authenticated.", "text/html; charset=utf-8",
                                   [("WWW-Authenticate", 'Basic realm="mlflow"')])
        if path.startswith("/api/2.0/mlflow-artifacts/artifacts/") and self.command == "PUT":
            return self.answer(200, {})
        name = path.removeprefix("/api/2.0/mlflow/").replace("/", "_").replace("-", "_")
        call = getattr(self, "call_" + name, None)
        if call is None:
            return self.answer(404, "<!doctype html><title>404 Not Found</title>", "text/html")
        call(json.loads(body) if body else dict(urllib.parse.parse_qsl(query)))

    do_GET = do_POST = do_PUT = handle_any

    def call_experiments_get_by_name(self, request):
        name = request["experiment_name"]
        if name not in EXPERIMENTS:
            return self.refuse(404, "RESOURCE_DOES_NOT_EXIST", f"Could not find experiment with name '{name}'")
        self.answer(200, {"experiment": {"experiment_id": EXPERIMENTS[name], "name": name, "lifecycle_stage": "active"}})

    def call_experiments_get(self, request):
        self.answer(200, {"experiment": {"experiment_id": request["experiment_id"], "name": "by id"}})

    def call_experiments_create(self, request):
        EXPERIMENTS[request["name"]] = str(len(EXPERIMENTS))
        self.answer(200, {"experiment_id": EXPERIMENTS[request["name"]]})

    def run(self, run_id, experiment):
        uri = "/mlruns" if MODE == "local" else "mlflow-artifacts:"
        return {"run": {"info": {
            "run_id": run_id, "run_uuid": run_id, "experiment_id": experiment, "status": "RUNNING", "lifecycle_stage": "active",
            "artifact_uri": f"{uri}/{experiment}/{run_id}/artifacts"}, "data": {}, "inputs": {}}}

    def call_runs_create(self, request):
        self.answer(200, self.run("5f0d", request["experiment_id"]))

    def call_runs_get(self, request):
        if request["run_id"] != "given":
            return self.refuse(404, "RESOURCE_DOES_NOT_EXIST", f"Run with id={request['run_id']} not found")
        self.answer(200, self.run("given", "3"))

    def call_runs_log_batch(self, request):
        metrics, params, tags = (request.get(kind, []) for kind in ("metrics", "params", "tags"))
        if len(metrics) > 1000 or len(params) > 100 or len(tags) > 100 or len(metrics) + len(params) + len(tags) > 1000:
            return self.refuse(400, "INVALID_PARAMETER_VALUE", "A batch logging request has too many entries")
        if int(self.headers["Content-Length"]) > 1000000:
            return self.refuse(400, "INVALID_PARAMETER_VALUE", "Batched logging API requests must be at most 1000000 characters")
        for entry in metrics + params + tags:
            key = entry["key"]
            parts = key.split("/")
            if not KEY.match(key) or len(key) > 250 or "" in parts or "." in parts or ".." in parts:
                return self.refuse(400, "INVALID_PARAMETER_VALUE", f"Invalid value {key!r} for key")
        for entry in params:
            if PARAMS.get(entry["key"], entry["value"]) != entry["value"]:
                return self.refuse(400, "INVALID_PARAMETER_VALUE", "Changing param values is not allowed.")
        PARAMS.update((entry["key"], entry["value"]) for entry in params)
        self.answer(200, {})

    def call_runs_update(self, request):
        self.answer(200, {"run_info": {"run_id": request["run_id"], "status": request["status"]}})


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
