#!/usr/bin/env python3
"""Networks that are cut: a worker from PostgreSQL, an api from PostgreSQL, and an api from its blobs.

A network namespace of its own, joined by a pair of virtual cables, holds one worker and one api; pulling the cable (its end goes down, and
packets vanish) cuts them off as a switch that fails would. Needs root and `ip`; exits with 77, which ctest shows as skipped, without.

partition_test.py BUILD_DIR
"""

import contextlib
import glob
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(sys.argv[1])
BIN = os.path.join(BUILD, "bin")
ZOO = os.path.join(BUILD, "tests", "zoo")
NAME = f"assay{os.getpid()}"
# Of the range for documentation (RFC 5737): nobody's.
HOST, GUEST = "198.51.100.1", "198.51.100.2"


def skip(why):
    print(f"partition_test: skipped: {why}", file=sys.stderr)
    sys.exit(77)


def run(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, text=True, **options).stdout


def eventually(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"in {seconds} s it did not come about that {what}")
        time.sleep(0.1)


class Cable:
    """A namespace and the cable to it."""

    def __init__(self):
        run("ip", "netns", "add", NAME)
        try:
            # Names of devices have at most 15 bytes.
            self.device = f"as{os.getpid()}h"
            guest = f"as{os.getpid()}g"
            run("ip", "link", "add", self.device, "type", "veth", "peer", "name", guest)
            run("ip", "link", "set", guest, "netns", NAME)
            run("ip", "address", "add", f"{HOST}/30", "dev", self.device)
            run("ip", "link", "set", self.device, "up")
            for words in (["address", "add", f"{GUEST}/30", "dev", guest], ["link", "set", guest, "up"], ["link", "set", "lo", "up"]):
                run("ip", "-n", NAME, *words)
        except BaseException:
            self.remove()
            raise

    def pull(self):
        run("ip", "link", "set", self.device, "down")

    def plug(self):
        run("ip", "link", "set", self.device, "up")

    def remove(self):
        subprocess.run(["ip", "netns", "delete", NAME], check=False)


class Postgres:
    """A server of its own, which listens on our end of the cable."""

    def __init__(self, directory):
        self.programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.data = os.path.join(directory, "postgresql")
        os.chmod(directory, 0o755)
        os.mkdir(self.data)
        shutil.chown(self.data, "postgres")
        self.execute("initdb", "--username=assay", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        with open(os.path.join(self.data, "data", "pg_hba.conf"), "a", encoding="utf8") as file:
            file.write(f"host all all {GUEST}/32 trust\nhost all all {HOST}/32 trust\n")
        options = f"-c listen_addresses={HOST} -c port=5432 -c unix_socket_directories='' -c fsync=off"
        self.execute("pg_ctl", "start", "--wait", f"--log={self.data}/log", "-o", options)
        self.uri = f"postgresql://assay@{HOST}:5432/postgres"

    def execute(self, program, *words):
        subprocess.run(
            ["runuser", "-u", "postgres", "--", os.path.join(self.programs, program), "-D", os.path.join(self.data, "data"), *words],
            check=True, stdout=subprocess.DEVNULL, cwd="/")

    def stop(self):
        self.execute("pg_ctl", "stop", "--mode=immediate")


class Assayd:
    """An assayd, in the namespace or on this side of the cable."""

    def __init__(self, directory, name, role, store, inside):
        self.name = name
        self.prefix = ["ip", "netns", "exec", NAME] if inside else []
        self.directory = os.path.join(directory, name)
        self.log = open(self.directory + ".log", "wb")
        self.process = subprocess.Popen(
            [*self.prefix, os.path.join(BIN, "assayd"), "--no-config", "--role", role, "--store", store, "--blobs", os.path.join(directory, "blobs"),
             "--data-dir", self.directory, "--listen", "127.0.0.1:0", "--metrics-port", "0", "--port-file", self.directory + ".port",
             "--devices", "cpu", "--threads", "1", "--batch-size", "16", "--lease-seconds", "3"],
            stderr=self.log)

    def wait(self):
        def serves():
            assert self.process.poll() is None, self.text()
            return "; data in" in self.text()
        eventually(f"{self.name} serves", serves)
        line = next(line for line in self.text().splitlines() if "metrics on" in line)
        self.metrics_at = line.split("metrics on ")[1].split(";")[0]
        self.address = line.split("gRPC on ")[1].split(" ")[0] if "gRPC on" in line else None
        return self

    def text(self):
        with open(self.directory + ".log", encoding="utf8", errors="replace") as file:
            return file.read()

    def http(self, path):
        """Status and body, from where it is."""
        program = ("import sys, urllib.request, urllib.error\n"
                   "try:\n  answer = urllib.request.urlopen(sys.argv[1], timeout=30); print(answer.status); print(answer.read().decode())\n"
                   "except urllib.error.HTTPError as error: print(error.code)\n")
        status, _, body = run(*self.prefix, sys.executable, "-c", program, f"http://{self.metrics_at}{path}").partition("\n")
        return int(status), body

    def ready(self):
        return self.http("/readyz")[0] == 200

    def metric(self, name):
        for line in self.http("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return None

    def assay(self, *words):
        return run(*self.prefix, os.path.join(BIN, "assay"), "--server", self.address, *words)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.log.close()
        return code


def write_npy(path, kind, shape, content):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    header = header.ljust(117) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content)


def main():
    if os.geteuid() != 0:
        skip("network namespaces need root")
    if not shutil.which("ip") or not glob.glob("/usr/lib/postgresql/*/bin/initdb"):
        skip("iproute2 and PostgreSQL are needed")
    try:
        cable = Cable()
    except subprocess.CalledProcessError as error:
        skip(f"network namespaces are not permitted here: {error.stderr.strip()}")
    with contextlib.ExitStack() as stack:
        stack.callback(cable.remove)
        directory = tempfile.mkdtemp(prefix="assay-partition-")
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        postgres = Postgres(directory)
        stack.callback(postgres.stop)
        try:
            cut(stack, cable, postgres, directory)
        except BaseException:
            for path in glob.glob(directory + "/*.log"):
                print(f"== {path}\n{open(path, encoding='utf8', errors='replace').read()}", file=sys.stderr)
            raise


def cut(stack, cable, postgres, directory):
    data = os.path.join(directory, "x.npy")
    samples = 32
    write_npy(data, "|u1", (samples, 8, 8, 3), bytes(i * 7 % 200 for i in range(samples * 192)))
    write_npy(os.path.join(directory, "x_labels.npy"), "|u1", (samples,), bytes(i % 4 for i in range(samples)))
    # Tasks of seconds: longer than a lease.
    evaluation = ["evaluate", "-m", os.path.join(ZOO, "slow.pt"), "-d", data, "-c", "clean", "attack/pgd:eps=0.0001,steps=400",
                  "--task-samples", "16"]
    expected = run(os.path.join(BIN, "assay"), *evaluation, "--local", "-o", "csv")
    # What another evaluation has computed is to be computed again.
    if "--no-cache" in run(os.path.join(BIN, "assay"), "evaluate", "--help"):
        evaluation.append("--no-cache")

    def start(name, role, inside):
        node = Assayd(directory, name, role, postgres.uri, inside)
        stack.callback(node.stop)
        return node

    api, far_api, far_worker = start("api", "api", False), start("far-api", "api", True), start("far-worker", "worker", True)
    for node in (api, far_api, far_worker):
        node.wait()
        assert node.ready(), node.text()

    def show(name):
        return json.loads(api.assay("evaluation", "show", name, "-o", "json"))

    def report(name):
        return api.assay("evaluation", "report", name, "-o", "csv")

    print("== a worker that works is cut off from the database")
    api.assay(*evaluation, "--id", "one", "--detach")
    eventually("the far worker runs a task of the attack", lambda: "pgd" in show("one").get("progress", {}).get("current_condition", ""))
    cable.pull()
    start_of_cut = time.monotonic()
    worker = start("worker", "worker", False).wait()
    for node in (far_api, far_worker):
        eventually(f"{node.name} says that it is not ready", lambda n=node: not n.ready(), 60)
        assert node.metric('assay_dependency_up{dependency="database"}') == 0
        assert node.metric('assay_dependency_up{dependency="blobs"}') == 1
    print(f"   both say so after {time.monotonic() - start_of_cut:.0f} s")
    assert api.ready()
    eventually("another worker finishes what it had", lambda: show("one")["state"] == "SUCCEEDED", 240)
    assert report("one") == expected, "the report is not the undisturbed one"
    assert far_worker.metric("assay_leases_lost_total") == 0, "it cannot know yet"

    print("== the cable is there again")
    cable.plug()
    for node in (far_api, far_worker):
        eventually(f"{node.name} is ready again", node.ready, 120)
    eventually("the far worker hears that its lease is lost", lambda: far_worker.metric("assay_leases_lost_total") == 1)
    assert report("one") == expected, "what came late has changed the report"
    assert worker.stop() == 0
    far_api.assay(*evaluation, "--id", "two", "--detach")
    eventually("it works again", lambda: show("two")["state"] == "SUCCEEDED", 240)
    assert report("two") == expected

    print("== the blobs are cut off")
    blobs = os.path.join(directory, "blobs")
    os.rename(blobs, blobs + ".away")
    os.mkdir(blobs)  # the mount point
    eventually("the api says that it is not ready", lambda: not api.ready(), 60)
    assert api.metric('assay_dependency_up{dependency="blobs"}') == 0
    os.rmdir(blobs)
    os.rename(blobs + ".away", blobs)
    eventually("the api is ready again", api.ready)
    for node in (api, far_api, far_worker):
        assert node.stop() == 0, node.text()


if __name__ == "__main__":
    main()
