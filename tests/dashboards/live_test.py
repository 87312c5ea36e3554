#!/usr/bin/python3
"""Everything that is asked of Prometheus is answered: live_test.py BUILD_DIR

A Prometheus with the rules of deploy/prometheus scrapes a real assayd during real evaluations of the built-in example and while
things go wrong that can be made go wrong. Then each query of each panel and each recorded series must have had data, each
alert whose condition was made true must have been raised, and those of the others must ask for metrics that are there.
"""
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys

import dashboards
import live

BUILD = pathlib.Path(sys.argv[1]).resolve()
ZOO = BUILD / "tests/zoo"
CONDITIONS = [
    "clean",
    "attack/pgd:eps=8/255,steps=10",
    "corruption/gaussian_noise:severity=1+3+5",
    "smoothing/gaussian:sigma=0.25,n0=10,n=100",
]
# Whose conditions are made true here. tests/rules_test.sh has all.
RAISED = {
    "AssayAccuracyDropped",
    "AssayDown",
    "AssayEngineCrashLoop",
    "AssayEvaluationsFail",
    "AssayModelLoadsFail",
    "AssayModelUnavailable",
    "AssayNoWorker",
}
# Only with TLS, where new versions are evaluated by themselves, and with a GPU.
ELSEWHERE = {"assay_certificate_expiry_timestamp_seconds", "assay_gate_passed", "assay_device_utilization_ratio"}


def write_images(path):
    """Eight grey images of 8 x 8 and labels, for the zoo of test models."""

    def npy(name, descr, shape, content):
        header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
        header += " " * (63 - (len(header) + 10) % 64) + "\n"
        name.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content)

    npy(path, "|u1", "(8, 8, 8, 3)", b"\x7f" * (8 * 8 * 8 * 3))
    npy(path.with_name(path.stem + "_labels.npy"), "<i8", "(8,)", struct.pack("<8q", *[i % 4 for i in range(8)]))


def evaluate(server, model, *more):
    example = BUILD / "example"
    return server.start("evaluate", "-m", example / f"{model}.pt", "-d", example / "shapes.npy", "--limit", 200, "-c", *CONDITIONS, *more)


def finish(client):
    _, errors = client.communicate(timeout=live.PATIENCE_S)
    assert client.returncode == 0, errors


def at_work(server):
    """The engines, once one of them is at work."""
    return live.until(
        "an engine is at work", lambda: server.value('assay_workers{device="cpu",state="working"}') == 1 and server.engines()
    )


def send(number, engines):
    for engine in engines:
        os.kill(engine, number)


def make_history(server, prometheus, folder):
    """What the rules and panels are about. Each step ends when Prometheus has seen it."""
    live.until("Prometheus scrapes", lambda: prometheus.query("up == 1"))

    # Two versions of a model, the second of which is worse.
    client = evaluate(server, "robust", "--label", "repository=shapes")
    engines = at_work(server)
    # It stands still while other tasks wait, until that has been seen.
    send(signal.SIGSTOP, engines)
    live.until("tasks wait", lambda: prometheus.query("assay:queue_age_seconds > 0"))
    send(signal.SIGCONT, engines)
    finish(client)
    live.until("the first report is shown", lambda: prometheus.query("assay_accuracy_ratio"))
    finish(evaluate(server, "standard", "--label", "repository=shapes"))
    live.until("the drop is seen", lambda: raised(prometheus, "AssayAccuracyDropped"))
    drop = prometheus.query('assay:accuracy_ratio:change{condition=~"attack.*"}')
    assert len(drop) == 1 and drop[0][1] < -0.1 and "robust" in drop[0][0]["previous"], drop

    # An engine dies at work.
    client = evaluate(server, "standard", "--seed", 1)
    send(signal.SIGKILL, at_work(server))
    finish(client)

    # Workers are paused while tasks wait.
    server.call("admin", "pause")
    client = evaluate(server, "standard", "--seed", 2)
    live.until("nobody takes the tasks", lambda: raised(prometheus, "AssayNoWorker"))
    server.call("admin", "resume")
    finish(client)

    # Idle engines die.
    models = [model["name"] for model in json.loads(server.call("model", "list", "-o", "json"))]
    while not raised(prometheus, "AssayEngineCrashLoop"):
        send(signal.SIGKILL, server.engines())
        live.until("the engines are gone", lambda: not server.engines())
        for model in models:
            server.call("model", "load", model)

    # A model kills its engine at load, and one is refused.
    write_images(folder / "grey.npy")
    client = server.start("evaluate", "-m", ZOO / "crash.pt", "-d", folder / "grey.npy", "-c", "clean", "--id", "crash")
    live.until("a load has failed", lambda: raised(prometheus, "AssayModelLoadsFail"))
    server.call("evaluation", "cancel", "crash")
    client.communicate(timeout=live.PATIENCE_S)
    for seed in range(3):
        client = server.start("evaluate", "-m", ZOO / "nan.pt", "-d", folder / "grey.npy", "-c", "clean", "--seed", seed)
        client.communicate(timeout=live.PATIENCE_S)
        assert client.returncode != 0
    for alert in ["AssayEvaluationsFail", "AssayModelUnavailable"]:
        live.until(alert, lambda: raised(prometheus, alert))

    check_page(server.page())
    server.stop()
    live.until("the server is missed", lambda: raised(prometheus, "AssayDown"))


def raised(prometheus, alert):
    """Pending or firing: most wait for minutes before they fire."""
    return prometheus.query(f'ALERTS{{alertname="{alert}"}}')


def check_page(page):
    check = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
    assert check.returncode == 0 and not check.stderr, check.stderr


def check_answers(prometheus):
    """What had no data."""
    checked, missing = 0, []
    for board in dashboards.boards().values():
        for panel, target, expression in dashboards.queries(board, "10s"):
            checked += 1
            if dashboards.metrics(expression) <= ELSEWHERE:
                prometheus.query(expression)  # it is understood
            elif not prometheus.history(expression):
                missing.append(f"{board['uid']}, {panel['title']}, {target['refId']}: {expression}")
    for rule in prometheus.rules():
        checked += 1
        if rule["health"] != "ok":
            missing.append(f"{rule['name']}: {rule.get('lastError')}")
        if rule["type"] == "recording" and not prometheus.history(rule["name"]):
            missing.append(rule["name"])
        if rule["type"] == "alerting" and rule["name"] in RAISED and not prometheus.history(f'ALERTS{{alertname="{rule["name"]}"}}'):
            missing.append(f"{rule['name']} was not raised")
        for metric in dashboards.metrics(rule["query"]) - ELSEWHERE:
            if not prometheus.history(metric):
                missing.append(f"{rule['name']}: no {metric}")
    for board in dashboards.boards().values():
        for variable in board["templating"]["list"]:
            if variable["type"] != "query":
                continue
            checked += 1
            metric, label = variable["query"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
            found = prometheus.history(dashboards.substituted(metric, "10s", {}))
            if not any(label in labels for labels, _ in found):
                missing.append(f"{board['uid']}: variable {variable['name']}")
    return checked, missing


def main():
    subprocess.run([BUILD / "bin/assay-example", "--out", BUILD / "example"], check=True, stdout=subprocess.DEVNULL)
    with live.running(BUILD) as (server, prometheus, folder):
        make_history(server, prometheus, folder)
        checked, missing = check_answers(prometheus)
        assert checked > 70, checked
        assert not missing, "\n".join(["without data:", *missing])
        unraised = RAISED - {rule["name"] for rule in prometheus.rules()}
        assert not unraised, unraised
        print(f"{checked} queries of panels, variables and rules had data; {len(RAISED)} alerts were raised")


if __name__ == "__main__":
    main()
