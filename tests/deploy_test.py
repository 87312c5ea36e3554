#!/usr/bin/python3
"""What is in Dockerfile, docker-compose.yml and deploy/ fits together and fits the programs: deploy_test.py [BUILD_DIR]

Kustomizations are resolved by a small Kustomize of its own (resources, components, patches, images), compared with kubectl's where that
is installed; compose files are merged and checked, by docker-compose too where that is installed. With BUILD_DIR, the Dockerfile's command
line starts a server, its health check passes, and deploy/compose/demo fills it.
"""
import copy
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import yaml

SOURCE = pathlib.Path(__file__).resolve().parent.parent
KUBERNETES = SOURCE / "deploy/kubernetes"
# The first column of the table of flags, which readme_test compares with the server; some rows have two.
FLAGS = {flag for row in re.findall(r"^\| (`--[^|]*)\|", (SOURCE / "docs/operations.md").read_text(), re.M)
         for flag in re.findall(r"`(--[a-z-]+)", row)}
USER = 10001
WRITABLE = {"/var/lib/assay", "/tmp"}


def require(condition, *what):
    if not condition:
        sys.exit("FAILED: " + " ".join(str(w) for w in what))


def documents(path):
    return [d for d in yaml.safe_load_all(path.read_text()) if d]


def check_command_line(args, where):
    """A server that listens where the ports say, and keeps its data where the volume is."""
    flags, words = {}, list(args)
    while words:
        name, _, value = words.pop(0).partition("=")
        if not value and words and not words[0].startswith("--"):
            value = words.pop(0)
        require(name in FLAGS, f"{where}: {name} is no flag of docs/operations.md")
        flags[name] = value
    require(flags["--listen"] == "0.0.0.0:8001", where, flags)
    require(flags["--metrics-port"] == "8002", where, flags)
    # With a store of its own kind, the data of each are logs.
    kept = "--blobs" if "--store" in flags else "--data-dir"
    require(flags[kept].startswith("/var/lib/assay/"), where, flags)
    # Either open on purpose, or with TLS and tokens; metrics are public then only when that is said.
    if "--insecure" not in flags:
        require({"--tls-cert", "--tls-key", "--tokens", "--metrics-host"} <= flags.keys(), where, flags)
    return flags


# --- Dockerfile


class Dockerfile:
    def __init__(self):
        text = re.sub(r"\\\n", "", (SOURCE / "Dockerfile").read_text())
        self.lines = [l for l in text.splitlines() if l and not l.startswith("#")]
        self.stages = [l.split()[3] for l in self.lines if l.startswith("FROM ")]

    def one(self, instruction):
        found = [l[len(instruction) + 1:] for l in self.lines if l.startswith(instruction + " ")]
        require(len(found) == 1, f"Dockerfile: {len(found)} {instruction}")
        return found[0]

    def check(self):
        allowed = {l[1:] for l in (SOURCE / ".dockerignore").read_text().split() if l.startswith("!")}
        for line in self.lines:
            words = line.split()
            if words[0] != "COPY":
                continue
            if words[1].startswith("--from="):
                require(words[1][7:] in self.stages, line)
                continue
            for name in words[1:-1]:
                require((SOURCE / name).exists(), f"Dockerfile copies {name}, which is not there")
                require(name in allowed, f"Dockerfile copies {name}, which .dockerignore leaves out")
        require(self.stages[-1] == "cpu" and "gpu" in self.stages, self.stages)
        require(self.one("USER") == f"{USER}:{USER}", "Dockerfile: USER")
        require(f"--uid {USER} " in "\n".join(self.lines), "Dockerfile: useradd")
        require(self.one("VOLUME") in WRITABLE, "Dockerfile: VOLUME")
        require(json.loads(self.one("ENTRYPOINT")) == ["assayd"], "Dockerfile: ENTRYPOINT")
        require(self.one("EXPOSE").split() == ["8001", "8002"], "Dockerfile: EXPOSE")
        require("COPY deploy/container.yaml /etc/assay/assayd.yaml" in self.lines, "Dockerfile: configuration")
        # What is in the command cannot be changed by a variable or a file.
        require(self.arguments() == ["--insecure"], "Dockerfile: CMD")
        check_command_line(self.command(), "Dockerfile")

    def arguments(self):
        return json.loads(self.one("CMD"))

    def command(self):
        """What is in force without arguments: the configuration of the image as flags, and its command."""
        configuration = documents(SOURCE / "deploy/container.yaml")[0]
        return [word for key, value in configuration.items() for word in (f"--{key}", str(value))] + self.arguments()

    def health_check(self):
        return json.loads(self.one("HEALTHCHECK").split(" CMD ", 1)[1])


# --- docker-compose


def merge_compose(base, over):
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merge_compose(base[key], value)
        elif isinstance(value, list) and isinstance(base.get(key), list) and key not in ("command", "entrypoint"):
            base[key] = base[key] + value
        else:
            base[key] = value
    return base


def check_compose(overlays, dockerfile):
    files = ["docker-compose.yml"] + [f"deploy/compose/{o}.yml" for o in overlays]
    data = {}
    for file in files:
        merge_compose(data, documents(SOURCE / file)[0])
    services = data["services"]
    several = "postgresql" in overlays
    expected = {"assayd", "demo", "prometheus", "grafana"} | ({"postgres", "worker"} if several else set())
    require(set(services) == expected, files, set(services))
    assayd, demo = services["assayd"], services["demo"]
    require("profiles" not in assayd and demo["profiles"] == ["demo"], "profiles")
    require((assayd["image"], assayd["build"]) == (demo["image"], demo["build"]), "demo runs in another image than assayd")
    if isinstance(assayd["build"], dict):
        require(assayd["build"]["target"] in dockerfile.stages, assayd["build"])
    for name in ("assayd", "demo", "worker") if several else ("assayd", "demo"):
        service = services[name]
        require(service["read_only"] and service["tmpfs"] == ["/tmp"] and service["cap_drop"] == ["ALL"], name)
    for name, service in services.items():
        for other in service.get("depends_on", []):
            require(other in services and "profiles" not in services[other], f"{name} depends on {other}")
        for port in service.get("ports", []):
            require(port.startswith(("127.0.0.1:", "${ASSAY_ADDRESS:-127.0.0.1}:")), f"{name}: {port} is open to everybody")
        for volume in service.get("volumes", []):
            what, where = re.fullmatch(r"(\$\{[^}]*\}|[^:]*):([^:]*)(?::ro)?", volume).groups()
            if what.startswith("./"):
                require((SOURCE / what).exists(), f"{name} mounts {what}, which is not there")
            elif not what.startswith("$"):
                require(what in data["volumes"], f"{name} mounts {what}, which is no volume")
    command = assayd.get("command", dockerfile.command())
    flags = check_command_line(command, files)
    if several:
        theirs = check_command_line(services["worker"]["command"], files)
        require((flags["--role"], theirs["--role"]) == ("api", "worker"), files)
        for shared in "--store", "--blobs":
            require(flags[shared] == theirs[shared], f"{shared} of {files}")
        require(flags["--data-dir"] != theirs["--data-dir"], "each assayd has a data directory of its own")
    for flag in "--tls-cert", "--tls-key", "--tokens":
        require(flags.get(flag, "/etc/assay/").startswith("/etc/assay/"), files, flags)
    with_tls = "--tls-cert" in flags
    require(demo["environment"]["ASSAY_SERVER"] == ("grpcs://" if with_tls else "") + "assayd:8001", demo)
    # Prometheus scrapes what is served.
    scraped = documents(SOURCE / "deploy/prometheus/prometheus.yml")[0]["scrape_configs"][0]["static_configs"][0]["targets"]
    require(scraped == ["assayd:8002"], scraped)
    if shutil.which("docker-compose"):
        arguments = [a for file in files for a in ("-f", file)]
        subprocess.run(["docker-compose", *arguments, "--profile", "demo", "config", "-q"], cwd=SOURCE, check=True,
                       env={**os.environ, "ASSAY_DB_PASSWORD": "secret"})


# --- Kustomize

MERGED_BY = ("name", "mountPath", "containerPort", "key")


def merge_patch(base, patch):
    """A strategic merge: maps by key, lists of objects by the name of these, everything else as it is in the patch."""
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            merge_patch(base[key], value)
        elif isinstance(value, list) and value and isinstance(value[0], dict) and isinstance(base.get(key), list):
            by = next(k for k in MERGED_BY if k in value[0])
            added = []
            for item in value:
                same = [b for b in base[key] if b.get(by) == item[by]]
                if same:
                    merge_patch(same[0], item)
                else:
                    added.append(item)
            base[key] = added + base[key]
        else:
            base[key] = copy.deepcopy(value)


def apply_operation(document, operation):
    require(operation["op"] == "replace", operation)
    *parents, last = operation["path"].strip("/").split("/")
    at = document
    for part in parents:
        at = at[int(part) if isinstance(at, list) else part]
    require(last in at, f"{operation['path']} is not there")
    at[last] = operation["value"]


def pods(resources):
    return [r["spec"]["template"]["spec"] for r in resources if r["kind"] in ("StatefulSet", "Deployment")]


def resolve(folder, given=None):
    """The resources of a kustomization; a component changes those that are given to it."""
    kustomization = documents(folder / "kustomization.yaml")[0]
    known = {"apiVersion", "kind", "resources", "components", "patches", "images", "labels", "configMapGenerator"}
    require(set(kustomization) <= known, f"{folder}: {set(kustomization) - known}")
    resources = [] if given is None else given
    for name in kustomization.get("resources", []):
        path = folder / name
        require(path.exists(), f"{folder}/kustomization.yaml names {name}, which is not there")
        resources += resolve(path) if path.is_dir() else documents(path)
    for generated in kustomization.get("configMapGenerator", []):
        options = generated["options"]
        require(options["disableNameSuffixHash"], generated)
        resources.append({"apiVersion": "v1", "kind": "ConfigMap",
                          "metadata": {"name": generated["name"], "labels": dict(options["labels"])},
                          "data": {f: (folder / f).read_text() for f in generated["files"]}})
    for name in kustomization.get("components", []):
        resolve(folder / name, resources)
    for patch in kustomization.get("patches", []):
        if "path" in patch:
            for part in documents(folder / patch["path"]):
                found = [r for r in resources
                         if (r["kind"], r["metadata"]["name"]) == (part["kind"], part["metadata"]["name"])]
                require(len(found) == 1, f"{folder}/{patch['path']} changes {len(found)} resources")
                merge_patch(found[0], part)
        else:
            target = patch["target"]
            found = [r for r in resources if (r["kind"], r["metadata"]["name"]) == (target["kind"], target["name"])]
            require(len(found) == 1, f"{folder}: a patch of {len(found)} resources")
            for operation in yaml.safe_load(patch["patch"]):
                apply_operation(found[0], operation)
    for labels in kustomization.get("labels", []):
        for resource in resources:
            resource["metadata"].setdefault("labels", {}).update(labels["pairs"])
    for image in kustomization.get("images", []):
        for pod in pods(resources):
            for container in pod["containers"]:
                name, _, tag = container["image"].partition(":")
                # A component comes before the images of what includes it, after those of its resources.
                if name == image["name"]:
                    container["image"] = image["newName"] + ":" + image.get("newTag", tag)
    return resources


def matches(selector, labels):
    return bool(selector) and selector.items() <= labels.items()


def resolve_as_kubectl(name):
    folder = KUBERNETES / name
    resources = resolve(folder)
    if shutil.which("kubectl"):
        real = subprocess.run(["kubectl", "kustomize", folder], check=True, capture_output=True, text=True).stdout
        order = lambda r: (r["kind"], r["metadata"]["name"])
        mine, theirs = sorted(resources, key=order), sorted(yaml.safe_load_all(real), key=order)
        require(len(mine) == len(theirs), f"{name}: {len(mine)} resources, of kubectl {len(theirs)}")
        for own, other in zip(mine, theirs):
            require(own == other, f"{name}: {order(own)} differs from kubectl's:\n{yaml.dump(own)}\n{yaml.dump(other)}")
    return resources


def check_rights(name, pod, container, user):
    context, own = pod["securityContext"], container["securityContext"]
    require(context["runAsNonRoot"] and context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == user, name)
    require(context["seccompProfile"] == {"type": "RuntimeDefault"}, name)
    require(own == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, name)
    require(pod["enableServiceLinks"] is False and pod["automountServiceAccountToken"] is False, name)


def check_mounted_secrets(name, flags, mounts):
    """Whether there is TLS, whose files are then there."""
    if "--tls-cert" not in flags:
        return False
    for flag in "--tls-cert", "--tls-key", "--tokens":
        require(any(flags[flag].startswith(m["mountPath"] + "/") for m in mounts), f"{name}: {flag} is not mounted")
    return True


def check_monitoring(name, of, services):
    monitor = of["ServiceMonitor"][0]["spec"]
    for service in services:
        require(matches(monitor["selector"]["matchLabels"], service["metadata"]["labels"]), name)
        require(all(e["port"] in [p["name"] for p in service["spec"]["ports"]] for e in monitor["endpoints"]), name)
        # The job by which the rules know it.
        job = service["metadata"]["labels"][monitor["jobLabel"]]
        require(f'job="{job}"' in (SOURCE / "deploy/prometheus/rules.yml").read_text(), name, job)
    rules = documents(SOURCE / "deploy/prometheus/rules.yml")[0]
    require(of["PrometheusRule"][0]["spec"] == rules,
            "prometheusrule.yaml is not deploy/prometheus/rules.yml; run: "
            "scripts/prometheus-rule >deploy/kubernetes/components/monitoring/prometheusrule.yaml")
    dashboards = {f.name for f in (SOURCE / "deploy/grafana/dashboards").glob("*.json")}
    require(of["ConfigMap"][0]["data"].keys() == dashboards,
            f"deploy/grafana/dashboards/kustomization.yaml does not list {dashboards}")
    require(of["ConfigMap"][0]["metadata"]["labels"] == {"grafana_dashboard": "1"}, name)


def check_several(name):
    """Those that answer, workers and a database."""
    resources = resolve_as_kubectl(name)
    of, named = {}, {}
    for resource in resources:
        of.setdefault(resource["kind"], []).append(resource)
        named[resource["kind"], resource["metadata"]["name"]] = resource
    api, worker = named["Deployment", "assay"], named["Deployment", "assay-worker"]
    (database,), (claim,) = of["StatefulSet"], of["PersistentVolumeClaim"]
    flags = {}
    for deployment, service in (api, "assay"), (worker, "assay-worker"):
        template, which = deployment["spec"]["template"], f"{name}: {service}"
        labels, pod = template["metadata"]["labels"], template["spec"]
        (container,) = pod["containers"]
        check_rights(which, pod, container, USER)
        require(pod["serviceAccountName"] == of["ServiceAccount"][0]["metadata"]["name"], which)
        flags[service] = check_command_line([a for a in container["args"]], which)
        for selector in (deployment["spec"]["selector"]["matchLabels"], named["Service", service]["spec"]["selector"],
                         named["PodDisruptionBudget", service]["spec"]["selector"]["matchLabels"],
                         pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]):
            require(matches(selector, labels), f"{which}: {selector} does not select {labels}")
        ports = {p["name"]: p["containerPort"] for p in container["ports"]}
        require({p["name"]: p["port"] for p in named["Service", service]["spec"]["ports"]} == ports, which, ports)
        mounts = container["volumeMounts"]
        require({m["mountPath"] for m in mounts if not m.get("readOnly")} == WRITABLE and
                {m["name"] for m in mounts} == {v["name"] for v in pod["volumes"]}, which, mounts)
        with_tls = check_mounted_secrets(which, flags[service], mounts)
        require(with_tls == ("production" in name and deployment is api), which, "TLS")
        require([v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v] ==
                [claim["metadata"]["name"]], which)
        for variable in re.findall(r"\$\((\w+)\)", " ".join(container["args"])):
            require(variable in [e["name"] for e in container["env"]], f"{which}: {variable} is not set")
        for probe in "startupProbe", "livenessProbe", "readinessProbe":
            ready = probe == "readinessProbe"
            # A worker answers no calls.
            wanted = {"grpc": {"port": 8001, "service": "readiness" if ready else "liveness"}} if deployment is api and not with_tls else \
                {"httpGet": {"port": "metrics", "path": "/readyz" if ready else "/healthz"}}
            require(wanted.items() <= container[probe].items() and len(container[probe].keys() & {"grpc", "httpGet"}) == 1, which, probe)
    require(matches(api["spec"]["selector"]["matchLabels"], api["spec"]["template"]["metadata"]["labels"]) and
            not matches(api["spec"]["selector"]["matchLabels"], worker["spec"]["template"]["metadata"]["labels"]), name)
    mine, theirs = flags["assay"], flags["assay-worker"]
    require((mine["--role"], theirs["--role"]) == ("api", "worker"), name)
    require(all(mine[f] == theirs[f] for f in ("--store", "--blobs")), name)
    require(claim["spec"]["accessModes"] == ["ReadWriteMany"], name)

    # The database that they name, which lets them in, and to which they may go.
    host = re.fullmatch(r"postgresql://assay@([a-z-]+)/assay", mine["--store"]).group(1)
    service, (server,) = named["Service", host], pods([database])[0]["containers"]
    labels = database["spec"]["template"]["metadata"]["labels"]
    check_rights(f"{name}: {host}", database["spec"]["template"]["spec"], server, 999)
    require(matches(service["spec"]["selector"], labels) and service["spec"]["ports"][0]["port"] == 5432, name, service)
    require(not matches(named["Service", "assay"]["spec"]["selector"], labels), name)
    secrets = [e["valueFrom"]["secretKeyRef"] for p in pods(resources) for c in p["containers"] for e in c["env"]
               if "secretKeyRef" in e.get("valueFrom", {})]
    require(len(secrets) == 3 and all(s == {"name": "assay-postgresql", "key": "password"} for s in secrets), name, secrets)
    out = named["NetworkPolicy", "assay"]["spec"]["egress"]
    require(matches(out[0]["to"][0]["podSelector"]["matchLabels"], labels) and out[0]["ports"] == [{"port": 5432}], name, out)
    require({p["port"] for p in out[1]["ports"]} == {53} and len(out) == 2, name, out)
    inward = named["NetworkPolicy", host]["spec"]
    require(matches(inward["podSelector"]["matchLabels"], labels) and inward["egress"] == [], name)
    require(matches(inward["ingress"][0]["from"][0]["podSelector"]["matchLabels"], api["spec"]["template"]["metadata"]["labels"]), name)

    if "ScaledObject" in of:
        scaled = of["ScaledObject"][0]["spec"]
        require(named[scaled["scaleTargetRef"]["kind"], scaled["scaleTargetRef"]["name"]] is worker, name)
        # Two who decide how many there are would be at odds.
        require("replicas" not in worker["spec"] and scaled["minReplicaCount"] < scaled["maxReplicaCount"], name)
        query = scaled["triggers"][0]["metadata"]["query"]
        (metric,) = re.findall(r"assay_[a-z_]+", query)
        require(f"`{metric}`" in (SOURCE / "docs/operations.md").read_text(), name, metric)
        if shutil.which("promtool"):
            rule = {"groups": [{"name": "g", "rules": [{"record": "r", "expr": query}]}]}
            with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
                yaml.safe_dump(rule, file)
                file.flush()
                subprocess.run(["promtool", "check", "rules", file.name], check=True, stdout=subprocess.DEVNULL)
        # What it asks of is scraped.
        require("ServiceMonitor" in of, name)
    else:
        require(worker["spec"]["replicas"] >= 2, name)
    if "ServiceMonitor" in of:
        check_monitoring(name, of, [named["Service", "assay"], named["Service", "assay-worker"]])
    if "production" in name:
        (container,) = worker["spec"]["template"]["spec"]["containers"]
        require(container["image"] == "assay-gpu:latest" and container["resources"]["limits"]["nvidia.com/gpu"] == "1", name)


def check_kubernetes(name):
    resources = resolve_as_kubectl(name)
    of = {}
    for resource in resources:
        of.setdefault(resource["kind"], []).append(resource)
        require(resource["kind"] == "ConfigMap" or resource["metadata"]["labels"]["app.kubernetes.io/name"] == "assay",
                f"{name}: {resource['kind']} has no label")
    (stateful,), (service,), (policy,), (budget,), (account,) = (
        of[k] for k in ("StatefulSet", "Service", "NetworkPolicy", "PodDisruptionBudget", "ServiceAccount"))

    spec, template = stateful["spec"], stateful["spec"]["template"]
    labels, pod = template["metadata"]["labels"], template["spec"]
    require(spec["replicas"] == 1, f"{name}: the database is of one process, so there is one replica")
    for selector in (spec["selector"]["matchLabels"], service["spec"]["selector"], policy["spec"]["podSelector"]["matchLabels"],
                     budget["spec"]["selector"]["matchLabels"]):
        require(matches(selector, labels), f"{name}: {selector} does not select {labels}")
    require(spec["serviceName"] == service["metadata"]["name"], name)
    require(pod["serviceAccountName"] == account["metadata"]["name"], name)

    (container,) = pod["containers"]
    require(container["image"] == ("assay-gpu:latest" if "gpu" in name or "production" in name else "assay:latest"),
            f"{name}: {container['image']}")
    flags = check_command_line([a for a in container["args"]], name)
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}
    require(ports == {"grpc": 8001, "metrics": 8002}, name, ports)
    require({p["name"]: p["port"] for p in service["spec"]["ports"]} == ports, name)
    require(all(p["targetPort"] in ports for p in service["spec"]["ports"]), name)
    require(all(p["port"] in ports for i in policy["spec"]["ingress"] for p in i["ports"]), name)
    require(policy["spec"]["egress"] == [] and "Egress" in policy["spec"]["policyTypes"], name)
    # Every variable in the arguments is set.
    for variable in re.findall(r"\$\((\w+)\)", " ".join(container["args"])):
        require(variable in [e["name"] for e in container["env"]], f"{name}: {variable} is not set")

    # Writable: the volume and /tmp. Mounts and volumes are each other's.
    check_rights(name, pod, container, USER)
    mounts = container["volumeMounts"]
    require({m["mountPath"] for m in mounts if not m.get("readOnly")} == WRITABLE, name, mounts)
    volumes = {v["name"] for v in pod["volumes"]} | {v["metadata"]["name"] for v in spec["volumeClaimTemplates"]}
    require({m["name"] for m in mounts} == volumes, f"{name}: volumes {volumes}")

    for probe in "startupProbe", "livenessProbe", "readinessProbe":
        kinds = container[probe].keys() & {"grpc", "httpGet"}
        # Kubernetes' gRPC probes know no TLS.
        require(kinds == ({"httpGet"} if "--tls-cert" in flags else {"grpc"}), f"{name}: {probe} {kinds}")
        if "grpc" in kinds:
            require(container[probe]["grpc"] ==
                    {"port": ports["grpc"], "service": "readiness" if probe == "readinessProbe" else "liveness"}, name, probe)
        else:
            require(container[probe]["httpGet"] ==
                    {"port": "metrics", "path": "/readyz" if probe == "readinessProbe" else "/healthz"}, name, probe)
    check_mounted_secrets(name, flags, mounts)
    if "gpu" in name or "production" in name:
        require(container["resources"]["limits"]["nvidia.com/gpu"] == "1", name)
    if "ServiceMonitor" in of:
        check_monitoring(name, of, [service])


# --- for real


def check_server(dockerfile, build):
    with tempfile.TemporaryDirectory() as work:
        port_file, log = pathlib.Path(work, "port"), pathlib.Path(work, "log")
        # What the container has; with free ports, and without a volume, by variables, which go before its configuration.
        path = f"{build}/bin:{os.environ['PATH']}"
        changed = {"ASSAYD_LISTEN": "0.0.0.0:0", "ASSAYD_METRICS_PORT": "0", "ASSAYD_DATA_DIR": work + "/data"}
        command = [f"{build}/bin/assayd", "--config", SOURCE / "deploy/container.yaml", *dockerfile.arguments()]
        said = subprocess.run([*command, "--check-config"], env={**os.environ, "ASSAYD_LISTEN": "0.0.0.0:9001"}, capture_output=True, text=True)
        require(re.search(r"^listen +0\.0\.0\.0:9001 +ASSAYD_LISTEN$", said.stdout, re.M), said)
        with log.open("w") as out:
            server = subprocess.Popen([*command, "--port-file", port_file], stderr=out, env={**os.environ, **changed})
        try:
            for _ in range(600):
                if port_file.exists() or server.poll() is not None:
                    break
                time.sleep(0.1)
            require(port_file.exists(), "assayd does not start:", log.read_text())
            metrics = re.search(r"metrics on [0-9.]+:(\d+)", log.read_text()).group(1)
            health = [w.replace("/127.0.0.1/8002 ", f"/127.0.0.1/{metrics} ") for w in dockerfile.health_check()]
            require(health != dockerfile.health_check(), "the health check asks another port")
            subprocess.run(health, check=True, timeout=60)
            environment = {**os.environ, "PATH": path, "ASSAY_SERVER": f"127.0.0.1:{port_file.read_text().strip()}"}
            for said in "wrote the example", "the example has been evaluated":  # the second time there is nothing to do
                demo = subprocess.run([SOURCE / "deploy/compose/demo"], env=environment, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, text=True)
                require(demo.returncode == 0 and said in demo.stderr, "the demo:", demo.stderr)
            listed = subprocess.run(["assay", "evaluation", "list", "--label", "demo=true", "-o", "json"], check=True,
                                    env=environment, capture_output=True, text=True).stdout
            require(listed.count("SUCCEEDED") == 2, listed)
        finally:
            server.terminate()
            server.wait()
        require(subprocess.run(health, stderr=subprocess.DEVNULL, timeout=60).returncode != 0, "the health check passes without a server")


def main():
    dockerfile = Dockerfile()
    dockerfile.check()
    overlays = sorted(f.stem for f in (SOURCE / "deploy/compose").glob("*.yml"))
    # Each alone, and those together that do not give assayd another command line each.
    for chosen in [[], *([o] for o in overlays), [o for o in overlays if o != "postgresql"]]:
        check_compose(chosen, dockerfile)
    names = ["base"] + sorted(f"overlays/{f.name}" for f in (KUBERNETES / "overlays").iterdir())
    for name in names:
        (check_several if "postgresql" in name else check_kubernetes)(name)
    if len(sys.argv) > 1:
        check_server(dockerfile, pathlib.Path(sys.argv[1]).resolve())
    print(f"Dockerfile, {1 + len(overlays)} compose files and {len(names)} kustomizations fit")


main()
