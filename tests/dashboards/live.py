"""A server at work and a Prometheus that scrapes it, for the live test and for the picture."""
import contextlib
import json
import math
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import dashboards

# Of a machine that has much else to do.
PATIENCE_S = 240


def until(what, condition):
    """What `condition` returns as soon as that is true."""
    end = time.monotonic() + PATIENCE_S
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"not within {PATIENCE_S} s: {what}"
        time.sleep(0.05)


def free_port():
    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """assayd in a folder of its own."""

    def __init__(self, build, folder, *flags):
        self.bin = pathlib.Path(build) / "bin"
        port_file = folder / "port"
        self.log = folder / "assayd.log"
        command = [self.bin / "assayd", "--listen", "127.0.0.1:0", "--metrics-port", "0", "--data-dir", folder / "data"]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([*command, "--port-file", port_file, *flags], stderr=log)
        until("assayd serves", lambda: self.process.poll() is not None or port_file.exists())
        assert port_file.exists(), self.log.read_text()
        self.environment = {**os.environ, "ASSAY_SERVER": f"127.0.0.1:{port_file.read_text().strip()}"}
        self.metrics_address = re.search(r"metrics on (\S+:\d+)", self.log.read_text()).group(1)

    def page(self):
        with urllib.request.urlopen(f"http://{self.metrics_address}/metrics", timeout=60) as answer:
            return answer.read().decode()

    def value(self, series):
        """Of a series of the page, as it is written there; None where there is none."""
        found = re.search(rf"^{re.escape(series)} (\S+)$", self.page(), re.MULTILINE)
        return float(found.group(1)) if found else None

    def start(self, *arguments):
        """`assay` with these arguments."""
        pipe = subprocess.PIPE
        return subprocess.Popen([self.bin / "assay", *map(str, arguments)], env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def call(self, *arguments):
        client = self.start(*arguments)
        output, errors = client.communicate(timeout=PATIENCE_S)
        assert client.returncode == 0, f"assay {arguments}: {errors}"
        return output

    def engines(self):
        """Their process numbers."""
        found = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                name, fields = stat.read_text().rsplit(")", 1)
                if "assay-engine" in name and int(fields.split()[1]) == self.process.pid and fields.split()[0] != "Z":
                    found.append(int(stat.parent.name))
        return found

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()


class Prometheus:
    """Scrapes the server each second, with the rules of deploy/prometheus, each second too."""

    def __init__(self, folder, server):
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(dashboards.SOURCE / "deploy/prometheus/rules.yml")],
            "scrape_configs": [{"job_name": "assay", "static_configs": [{"targets": [server.metrics_address]}]}],
        }
        # JSON is YAML.
        (folder / "prometheus.yml").write_text(json.dumps(config))
        self.begin = time.time()
        # Another program may take the port that was free.
        for _ in range(5):
            address = f"127.0.0.1:{free_port()}"
            self.url = f"http://{address}/api/v1/"
            command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/prometheus"]
            with open(folder / "prometheus.log", "w") as log:
                self.process = subprocess.Popen([*command, f"--web.listen-address={address}", "--log.level=warn"], stderr=log)
            if until("Prometheus answers", lambda: self.process.poll() is not None or self.ready()) is True and self.process.poll() is None:
                return
        raise AssertionError((folder / "prometheus.log").read_text())

    def ready(self):
        with contextlib.suppress(OSError, urllib.error.HTTPError):
            with urllib.request.urlopen(self.url.replace("/api/v1/", "/-/ready"), timeout=10) as answer:
                return answer.status == 200
        return False

    def get(self, path, **parameters):
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(parameters)}", timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def query(self, expression):
        """Its samples now: (labels, value)."""
        return [(each["metric"], float(each["value"][1])) for each in self.get("query", query=expression)["result"]]

    def history(self, expression, step=1):
        """Its series since the beginning: (labels, [(time, value)])."""
        # Its last step is now.
        end = time.time()
        start = end - step * math.ceil((end - self.begin) / step)
        data = self.get("query_range", query=expression, start=start, end=end, step=step)
        return [(each["metric"], [(float(t), float(v)) for t, v in each["values"]]) for each in data["result"]]

    def rules(self):
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def running(build, *flags):
    """A server and its Prometheus; both end with the block, and what they wrote."""
    if not shutil.which("prometheus"):
        print("skipped: there is no prometheus")
        sys.exit(77)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="assay-live-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server = Server(build, folder, *flags)
        stack.callback(server.stop)
        prometheus = Prometheus(folder, server)
        stack.callback(prometheus.stop)
        yield server, prometheus, folder
