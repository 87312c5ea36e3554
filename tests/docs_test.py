#!/usr/bin/python3
"""Every command and code block of the documentation is run or checked: docs_test.py BUILD_DIR

Of all pages together, README.md included:
* each command of `assay` and `assayd`, in a block or between backquotes, has only commands and options that the programs have, and only conditions
  that `assay conditions` understands;
* each other command names targets, presets, services, files and flags that are there;
* each block is either nothing but such commands, or is run here (RUN), or by the test that is named in ELSEWHERE, or is no code (TEXT). A new block
  that is none of these fails this test.
"""
import atexit
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy
import yaml

SOURCE = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(sys.argv[1]).resolve()
WORK = pathlib.Path(tempfile.mkdtemp())
TEST_DATA = pathlib.Path(os.environ.get("ASSAY_TEST_DATA", SOURCE.parent / "shared/data"))
PAGES = sorted([*SOURCE.glob("docs/**/*.md"), SOURCE / "README.md", SOURCE / "bench/README.md"])
PROGRAMS = ("assay", "assayd", "assay-engine", "assay-example")

# Pages whose marked blocks another test runs: it must name the page.
ELSEWHERE = {
    "README.md": "tests/readme_test.sh",
    "docs/acr.md": "tests/acr_test.sh",
    "docs/python.md": "tests/examples_test.sh",
    "docs/security.md": "tests/security_test.sh",
}
# Pages whose commands are checked, and not run: model_repository_test does what they say.
NOT_RUN = {"docs/model-repository.md"}
# Blocks that are no code: the page and how they begin.
TEXT = {
    ("docs/api.md", "client   "),
    ("docs/architecture.md", " assay (CLI, client library)"),
    ("docs/operations.md", "2026-11-30T"),
}


def require(condition, *what):
    if not condition:
        sys.exit("FAILED: " + " ".join(str(w) for w in what))


# --- the pages


class Block:
    def __init__(self, page, line, language, lines):
        self.page, self.line, self.language, self.lines = page, line, language, lines
        self.text = "\n".join(lines)

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks_of(path):
    page = str(path.relative_to(SOURCE))
    found, inside, indented = [], None, None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if inside is not None:
            if line == "```":
                found.append(inside)
                inside = None
            else:
                inside.lines.append(line)
                inside.text = "\n".join(inside.lines)
        elif line.startswith("```"):
            inside = Block(page, number, line[3:], [])
        elif line.startswith("    "):
            # Of blocks that are marked by indentation alone, those that are commands: formulas look the same.
            if indented is None and re.match(r"    (assay|for|[A-Z]+=|git|make|sudo) ?", line):
                indented = Block(page, number, "", [])
                found.append(indented)
            if indented is not None:
                indented.lines.append(line[4:])
                indented.text = "\n".join(indented.lines)
        else:
            indented = None
    require(inside is None, page, "has a block without an end")
    return found


def block(page, start):
    """The block of a page that begins so."""
    found = [b for b in BLOCKS if b.page == page and b.text.startswith(start)]
    require(len(found) == 1, f"{page} has {len(found)} blocks that begin with {start!r}")
    return found[0]


def commands_of(text):
    """The simple commands of lines of shell, each a list of words."""
    # "$ " in front, as consoles have it, what is said beside a command, and lines that go on.
    text = re.sub(r" *\\\n *", " ", text)
    result = []
    for line in text.splitlines():
        line = re.sub(r"^\$ ", "", line)
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        line = re.sub(r"(\S) {3,}(?![-&|<>]).*$", r"\1", line)
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>()")
        lexer.whitespace_split = True
        lexer.commenters = ""
        words = []
        for word in lexer:
            if word.startswith("#"):
                break
            words.append(word)
        command, redirected = [], False
        for word in words + [";"]:
            if redirected:
                redirected = False
            elif set(word) <= set(";&|()"):
                if command:
                    result.append(command)
                command = []
            elif set(word) <= set("<>&"):
                redirected = True
            elif not command and (re.match(r"[A-Za-z_]+=", word) or word in ("do", "done", "!", "until", "then")):
                continue
            else:
                command.append(word)
    return result


def commands_between_backquotes(text):
    """Whole commands, but for forms like `LIST|OTHER`."""
    result = []
    for span in re.findall(r"`((?:build/bin/)?assayd? [^`]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)):
        if not re.search(r"[a-z]\\?\|[a-z]", span):
            result += commands_of(re.sub(r"[][]", "", span.replace("\n", " ")))
    return result


# --- what commands may say

HELP = {}


def help_of(*words):
    if words not in HELP:
        done = subprocess.run([BUILD / "bin" / words[0], *words[1:], "--help"], capture_output=True, text=True)
        # Programs that know no --help say how they are used.
        HELP[words] = done.stdout + (done.stderr if "usage:" in done.stderr else "")
    return HELP[words]


def options_in(text):
    """Options of a help, and whether each takes a value."""
    return set(re.findall(r"(?:^|[\s,])(--?[a-zA-Z][a-z0-9-]*)", text))


CONDITIONS = {}


def check_assay(words, where):
    """Commands and options that there are."""
    path = ["assay"]
    rest = words[1:]
    # Options of `assay` itself may stand before the command.
    before = []
    while rest and rest[0].startswith("-"):
        before.append(rest.pop(0))
        if before[-1] in ("--server", "--ca", "--cert", "--key", "--token-file", "--tls-name", "--config"):
            rest = rest[1:]
    while rest and len(path) < 3 and re.fullmatch(r"[a-z]+", rest[0]):
        # A command has its own name in the head of its help.
        if f"{' '.join(path)} {rest[0]}" not in help_of(*path, rest[0]).split("\n\n")[0]:
            break
        path.append(rest.pop(0))
    placeholder = not rest or "..." in rest or rest[0].isupper()
    require(len(path) > 1 or placeholder or before, f"{where}: assay has no command {rest[:1]}: {' '.join(words)}")
    known = options_in(help_of(*path)) | options_in(help_of("assay"))
    if len(path) == 1:
        # `assay --local` is short for what evaluates so.
        known |= options_in(help_of("assay", "evaluate"))
    option = None
    for word in before + rest:
        if re.match(r"--?[a-zA-Z]", word):
            option = word.split("=")[0]
            require(option in known, f"{where}: {' '.join(path)} has no option {option}")
        elif option in ("-c", "--condition") and "/" in word and not re.search(r"[A-Z$]|\.\.\.", word):
            CONDITIONS.setdefault(word, where)
    return path


def check_assayd(words, where):
    known = options_in(help_of("assayd"))
    for word in words[1:]:
        if word.startswith("--"):
            require(word.split("=")[0] in known, f"{where}: assayd has no option {word}")


def check_make(words, where):
    # In the page's `make -j8 NAME=VALUE TARGET`.
    targets = [w for w in words[1:] if "=" not in w and not w.startswith("-")]
    makefile = (SOURCE / "Makefile").read_text()
    for target in targets:
        require(re.search(rf"^{re.escape(target)}:", makefile, re.M), f"{where}: make has no target {target}")


def check_cmake(words, where):
    presets = json.loads((SOURCE / "CMakePresets.json").read_text())
    names = {p["name"] for kind in ("configurePresets", "buildPresets", "testPresets") for p in presets[kind]}
    for word, value in zip(words, words[1:]):
        if word == "--preset":
            require(value in names, f"{where}: there is no preset {value}")


def check_docker(words, where):
    dockerfile = (SOURCE / "Dockerfile").read_text()
    for word, value in zip(words, words[1:]):
        if word == "-f":
            require((SOURCE / value).exists(), f"{where}: there is no {value}")
        elif word == "--target":
            require(re.search(rf"^FROM .* AS {value}$", dockerfile, re.M), f"{where}: there is no stage {value}")
        elif word == "--build-arg":
            require(re.search(rf"^ARG {value.split('=')[0]}\b", dockerfile, re.M), f"{where}: there is no argument {value}")
        elif word == "--profile":
            require(f"profiles: [{value}]" in (SOURCE / "docker-compose.yml").read_text(), f"{where}: no profile {value}")
        elif word == "--scale":
            service = value.split("=")[0]
            require(any(service in yaml.safe_load(p.read_text())["services"] for p in SOURCE.glob("deploy/compose/*.yml")),
                    f"{where}: no service {service}")


def check_kubectl(words, where):
    for word, value in zip(words, words[1:]):
        if word in ("-k", "-f"):
            require((SOURCE / value).exists(), f"{where}: there is no {value}")
        if word == "deployment":
            require(any(f"kind: Deployment\nmetadata:\n  name: {value}\n" in p.read_text() for p in SOURCE.glob("deploy/kubernetes/*/*.yaml")),
                    f"{where}: no deployment {value}")
    for word in words:
        if word.startswith("service/"):
            require(f"name: {word[8:]}\n" in (SOURCE / "deploy/kubernetes/base/service.yaml").read_text(), f"{where}: no {word}")


def check_systemd(words, where):
    for word in words[1:]:
        if re.fullmatch(r"assay[a-z-]*", word):
            require((SOURCE / f"deploy/systemd/{word}.service").exists(), f"{where}: no unit {word}")


# What is of the system, and says nothing of Assay.
ORDINARY = {"apt", "cd", "chown", "cp", "curl", "echo", "export", "for", "git", "grep", "grpcurl", "jq", "mkdir", "mv", "protoc", "psql", "createuser", "createdb",
            "python", "python3", "rsync", "sleep", "sqlite3", "tar", "cargo", "done", "initdb", "pg_ctl", "source", "exec", "hostname"}


def check_command(words, where):
    while words and words[0] in ("sudo", "exec", "nice"):
        words = words[1:]
    if not words:
        return
    program = words[0]
    name = program.rsplit("/", 1)[-1]
    if name == "assay":
        check_assay(words, where)
    elif name == "assayd":
        check_assayd(words, where)
    elif name in PROGRAMS:
        require(all(w.split("=")[0] in options_in(help_of(name)) for w in words if w.startswith("--")), f"{where}: {words}")
    elif name == "make":
        check_make(words, where)
    elif name in ("cmake", "ctest"):
        check_cmake(words, where)
    elif name == "docker":
        check_docker(words, where)
    elif name == "kubectl":
        check_kubectl(words, where)
    elif name in ("systemctl", "journalctl"):
        check_systemd(words, where)
    elif re.match(r"(build/tests|tests|scripts|bench|deploy)/", program):
        require(program.startswith("build/") or (SOURCE / program).exists(), f"{where}: there is no {program}")
    elif name.startswith("bench_"):
        require(f"({name} " in (SOURCE / "bench/CMakeLists.txt").read_text(), f"{where}: there is no {name}")
    elif program.startswith("peers/"):
        pass
    else:
        return program in ORDINARY
    return True


# --- running blocks

SERVERS = []


def finish():
    for server in SERVERS:
        server.send_signal(signal.SIGTERM)
    for server in SERVERS:
        server.wait()
    shutil.rmtree(WORK, ignore_errors=True)


def environment(**more):
    return {**os.environ, "PATH": f"{WORK / 'bin'}:{os.environ['PATH']}", "HOME": str(WORK / "home"), "NO_COLOR": "1", **more}


def serve(folder, *flags):
    """A server of the built programs, on a free port; its address."""
    folder.mkdir(parents=True, exist_ok=True)
    port_file = folder / "port"
    log = open(folder / "log", "w")
    SERVERS.append(subprocess.Popen(
        [BUILD / "bin/assayd", "--no-config", "--listen", "127.0.0.1:0", "--metrics-port", "0", "--devices", "cpu", "--port-file", port_file, *flags],
        stderr=log, cwd=folder))
    for _ in range(600):
        if port_file.exists() and port_file.read_text():
            return "127.0.0.1:" + port_file.read_text().strip()
        require(SERVERS[-1].poll() is None, "assayd did not start:", (folder / "log").read_text())
        time.sleep(0.1)
    require(False, "assayd does not serve")


def shell(script, folder, server=None, allowed=(0,)):
    env = environment(**({"ASSAY_SERVER": server} if server else {}))
    done = subprocess.run(["bash", "-ec", script], cwd=folder, env=env, capture_output=True, text=True)
    require(done.returncode in allowed, f"exit code {done.returncode} of\n{script}\n{done.stdout}{done.stderr}")
    return done.stdout


def example_folder(name):
    """A folder with the files that pages speak of, all of them the built-in example."""
    folder = WORK / name
    folder.mkdir()
    example = BUILD / "example"
    for model in ("model.pt", "resnet.pt", "target.pt", "surrogate.pt", "model.onnx"):
        shutil.copy(example / ("standard.pt" if model == "surrogate.pt" else "robust.pt"), folder / model)
    for ours, theirs in (("images.npy", "shapes.npy"), ("images_labels.npy", "shapes_labels.npy"), ("classes.txt", "classes.txt")):
        shutil.copy(example / theirs, folder / ours)
    images, labels = numpy.load(example / "shapes.npy"), numpy.load(example / "shapes_labels.npy")
    # The same as CIFAR-10 has it: a byte of label, then planes.
    records = numpy.concatenate([labels.astype(numpy.uint8)[:, None], images.transpose(0, 3, 1, 2).reshape(len(images), -1)], axis=1)
    for batch in ("test_batch.bin", "data_batch_1.bin", "data_batch_2.bin"):
        records[:200].tofile(folder / batch)
    return folder


def run_operations():
    folder = example_folder("operations")
    server = serve(folder / "server", "--data-dir", str(folder / "data"), "--audit-log", str(folder / "audit.jsonl"))
    shell("assay model upload model.pt --id m", folder, server)
    for line in block("docs/operations.md", "assay admin status").lines:
        command = re.split(r" {3,}", line)[0]
        shell(command if command != "assay top" else "assay top --once", folder, server)
    # An assayd that would be started so.
    retention = block("docs/operations.md", "assayd --keep-evaluations").text
    checked = shell(f"{retention} --no-config --check-config", folder)
    require("30d" in checked and "stage=production" in checked, checked)
    # What it prints, line by line.
    shown = block("docs/operations.md", "$ ASSAYD_THREADS=4")
    (folder / "assayd.yaml").write_text("# one\n# two\n# three\n# four\n# five\nlisten: 127.0.0.1:8001\n")
    printed = shell(shown.lines[0].removeprefix("$ ") + f" --config {folder}/assayd.yaml", folder)
    for line in shown.lines[1:]:
        words = line.replace("/etc/assay", str(folder)).replace("10.0.0.7:8001", "127.0.0.1:8001")
        require(line == "..." or re.search(r"\s+".join(map(re.escape, words.split())), printed), f"{line!r} is not in\n{printed}")
    # Lines of the log are of the shown form.
    log = (folder / "server/log").read_text()
    forms = block("docs/operations.md", "2026-11-30T").lines
    text = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO model created model=models/m .*request_id=\S+")
    require(text.search(log) and re.match(r"\S+Z INFO evaluation created evaluation=", forms[0]), log)
    require(set(json.loads(forms[1].replace(",...}", "}"))) == {"time", "level", "message", "evaluation"}, forms[1])


def run_cli():
    page = "docs/cli.md"
    folder = example_folder("cli")
    (folder / "people.csv").write_text(block(page, "lighting,age").text + "\n")
    shell("assay evaluate --local -m model.pt -d test_batch.bin --limit 10 -c clean attack/pgd:norm=linf,eps=8/255", folder)
    metadata = shell(
        "head -c 6146 test_batch.bin >two.bin && assay evaluate --local -m model.pt -d two.bin --allow-missing-classes "
        "-c clean --metadata people.csv --all-slices", folder)
    require("Hamburg" in metadata and "Berlin, Mitte" in metadata, metadata)
    # The evaluation file, for images that are there and in shorter.
    (folder / "evaluation.yaml").write_text(block(page, "# yaml-language-server").text.replace("attack/autoattack", "attack/pgd") + "\nlimit: 20\n")
    shell("assay evaluate -f evaluation.yaml", folder)
    require((folder / "report.json").exists(), "the file's report was not written")
    # The configuration of the client: of what it names, only what is there can be used.
    config = block(page, 'server = "grpcs://').text
    server = serve(folder / "server", "--data-dir", str(folder / "data"))
    (folder / "token").write_text("a-token-that-nobody-asks-for\n")
    (folder / "token").chmod(0o600)
    config = re.sub(r'^ca = .*\n', "", config.replace("grpcs://gpu-3:8001", server).replace("/home/me/.config/assay", str(folder)), flags=re.M)
    (folder / "config.toml").write_text(config)
    shell("assay --config config.toml model list", folder)
    shell(block(page, "assay evaluate --local -m target.pt").text + " --limit 10", folder)
    shell("assay evaluate -m model.pt -d images.npy --limit 10 -c clean --id a --label stage=prod --label commit=1", folder, server)
    for line in block(page, "assay evaluation list --label").lines:
        shell(line.replace("resnet-0f3c", "model").replace("cifar10-91ab", "images"), folder, server)


def run_gates():
    page = "docs/gates.md"
    folder = example_folder("gates")
    shell("assay evaluate --local -m model.pt -d images.npy --limit 40 -c clean attack/pgd:eps=4/255 --report main.json", folder)
    for line in yaml.safe_load(block(page, "robustness:").text)["robustness"]["script"]:
        # Of so few samples gates may be undecided, which is an answer; malformed they must not be.
        shell(line.replace("--local", "--local --limit 40"), folder, allowed=(0, 1))
    require("<testsuite" in (folder / "gates.xml").read_text(), "no JUnit")
    server = serve(folder / "server", "--data-dir", str(folder / "data"))
    shell("assay evaluate -m model.pt -d images.npy --limit 40 -c clean --id resnet-77\n"
          "assay evaluate -m model.pt -d images.npy --limit 40 -c clean --id resnet-78", folder, server)
    first, second = commands_of(block(page, "assay evaluate --local").text), block(page, "assay evaluate --local").lines[-1]
    require(len(first) == 2, first)
    shell(second, folder, server, allowed=(0, 1))


def run_conditions():
    expressions = [line for line in block("docs/conditions.md", "family[").lines[1:] if line]
    server = serve(WORK / "conditions", "--data-dir", str(WORK / "conditions/data"))
    shell("assay conditions " + " ".join(expressions), WORK, server)


def run_metrics():
    folder = example_folder("metrics")
    server = serve(folder / "server", "--data-dir", str(folder / "data"))
    shell("for m in a b c; do assay model upload model.pt --id $m; done\nassay dataset upload test_batch.bin --id d", folder, server)
    script = block("docs/metrics.md", "T=").text.replace("--id on-", "--limit 20 --id on-")
    require("attack/transfer" in shell(script, folder, server), "no matrix of transfers")


def run_corruptions():
    page = "docs/conditions/corruptions.md"
    folder = example_folder("corruptions")
    labels = numpy.load(folder / "images_labels.npy")[:20]
    images = numpy.load(folder / "images.npy")[:20]
    ready_made = folder / "CIFAR-10-C"
    ready_made.mkdir()
    numpy.save(ready_made / "fog.npy", numpy.concatenate([images] * 5))
    numpy.save(ready_made / "labels.npy", numpy.concatenate([labels] * 5))
    one = block(page, "assay evaluate -m MODEL -c clean -d CIFAR-10-C/fog.npy:3")
    server = serve(folder / "server", "--data-dir", str(folder / "data"))
    shell(one.lines[0].replace("MODEL", "model.pt"), folder, server)
    # Of class folders, what `assay corrupt --png` and a name for each class make.
    classes = (folder / "classes.txt").read_text().split("\n")
    shell("assay corrupt -d images.npy --limit 20 -c corruption/fog:severity=3 --png --out corrupted", folder)
    pictures = sorted((folder / "corrupted").glob("**/*.png"))
    pictures = [p for p in pictures if "contact" not in p.name]
    require(len(pictures) == 20, pictures)
    for picture, label in zip(pictures, labels):
        into = folder / "imagenet-c/fog/3" / f"{label:02} {classes[label]}"
        into.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, into / picture.name)
    shell(one.lines[1].replace("MODEL", "model.pt"), folder, server)
    whole = block(page, "assay evaluate -m MODEL -c clean -d CIFAR-10-C --clean-data").text
    shell("head -c 61460 test_batch.bin >clean.bin\n" + whole.replace("MODEL", "model.pt").replace("test_batch.bin", "clean.bin"), folder, server)


def run_models():
    folder = example_folder("models")
    require("TorchScript" in shell(block("docs/models.md", "assay model inspect").text, folder), "model inspect")


def run_deploy():
    page = "docs/deploy.md"
    folder = WORK / "deploy"
    folder.mkdir()
    for name in ("scripts", "deploy"):
        (folder / name).symlink_to(SOURCE / name)
    (folder / "build").mkdir()
    (folder / "build/bin").symlink_to(BUILD / "bin")
    # Certificates and tokens for the overlay with TLS, less the change of their owner.
    lines = [l for l in block(page, "scripts/dev-certificates authority").lines if not l.startswith("sudo chown ")]
    require(len(lines) == 4, lines)
    shell("\n".join(lines), folder)
    command = yaml.safe_load((SOURCE / "deploy/compose/tls.yml").read_text())["services"]["assayd"]["command"]
    command = [w.replace("/etc/assay", str(folder / "certificates")).replace("/var/lib/assay", str(folder)) for w in command]
    shell(" ".join(map(shlex.quote, ["assayd", "--no-config", *command, "--devices=cpu", "--check-config"])), folder)
    # The overlay that the page shows.
    (folder / "kustomization.yaml").write_text(block(page, "apiVersion: kustomize").text.replace("ASSAY/", "overlaid/"))
    shutil.copytree(SOURCE / "deploy", folder / "overlaid/deploy")
    if shutil.which("kubectl"):
        made = list(yaml.safe_load_all(shell("kubectl kustomize .", folder)))
        images = [c["image"] for r in made if r["kind"] == "StatefulSet" for c in r["spec"]["template"]["spec"]["containers"]]
        require(images == ["registry.example.com/assay:0.1"], images)
    else:
        kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
        require(all((folder / p).exists() for p in kustomization["resources"] + kustomization["components"]), kustomization)


def run_security():
    lines = block("docs/security.md", '{"name":"ci"').text.replace("9f86...", "0123456789abcdef" * 4)
    folder = WORK / "security"
    folder.mkdir()
    (folder / "tokens").write_text(lines + "\n")
    shell("assayd --no-config --listen 127.0.0.1:8001 --devices cpu --tokens tokens --check-config", folder)


def run_tutorials():
    if not TEST_DATA.exists():
        print("the tutorials were not run: there are no test data")
        return
    folder = WORK / "tutorials"
    folder.mkdir()
    for file in [TEST_DATA / "cifar10_test_1000.bin", *(TEST_DATA / "models").glob("cifar10_*.pt")]:
        (folder / file.name).symlink_to(file)
    server = serve(folder / "server", "--data-dir", str(folder / "data"))
    for page in ("two-models", "weak-class-or-sink"):
        for one in BLOCKS:
            if one.page == f"docs/tutorials/{page}.md":
                shell(one.text.replace("-d cifar10_test_1000.bin", "-d cifar10_test_1000.bin --limit 20"), folder, server)
    require((folder / "comparison.html").stat().st_size > 0, "no comparison")


def check_python(one):
    compile(one.text, str(one), "exec")


RUN = {
    "docs/operations.md": run_operations,
    "docs/cli.md": run_cli,
    "docs/gates.md": run_gates,
    "docs/conditions.md": run_conditions,
    "docs/metrics.md": run_metrics,
    "docs/conditions/corruptions.md": run_corruptions,
    "docs/models.md": run_models,
    "docs/deploy.md": run_deploy,
    "docs/security.md": run_security,
    "docs/tutorials/two-models.md": run_tutorials,
}

BLOCKS = [b for page in PAGES for b in blocks_of(page)]


def main():
    atexit.register(finish)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    (WORK / "bin").mkdir()
    (WORK / "home").mkdir()
    for program in PROGRAMS:
        (WORK / "bin" / program).symlink_to(BUILD / "bin" / program)
    subprocess.run([BUILD / "bin/assay-example", "--out", BUILD / "example"], check=True, stdout=subprocess.DEVNULL)
    for page, test in ELSEWHERE.items():
        require(page.split("/")[-1] in (SOURCE / test).read_text(), f"{test} does not run {page}")

    checked = 0
    for one in BLOCKS:
        if any(p == one.page and one.text.startswith(start) for p, start in TEXT):
            continue
        if one.language == "python":
            check_python(one)
            continue
        if one.language in ("yaml", "toml", "text", "json"):
            require(one.page in RUN or one.page in ELSEWHERE or one.page in NOT_RUN, f"{one}: a block of {one.language} that no test looks at; see {__file__}")
            if one.language == "yaml":
                yaml.safe_load(one.text)
            continue
        for words in commands_of(one.text):
            understood = check_command(words, one)
            require(understood or one.page in RUN or one.page in ELSEWHERE or one.page in NOT_RUN, f"{one}: what is {words[0]!r}? See {__file__}")
            checked += 1
    # Between backquotes: whole commands, where they are not forms like `LIST|OTHER`.
    spans = 0
    for path in PAGES:
        for words in commands_between_backquotes(path.read_text()):
            check_command(words, path.relative_to(SOURCE))
            spans += 1
    require(checked > 60 and spans > 40, f"only {checked} commands and {spans} between backquotes")
    server = serve(WORK / "any", "--data-dir", str(WORK / "any/data"))
    done = subprocess.run([BUILD / "bin/assay", "--server", server, "conditions", *CONDITIONS], capture_output=True, text=True)
    require(done.returncode == 0, f"of conditions in {sorted(set(map(str, CONDITIONS.values())))}: {done.stderr}")
    wanted = [page for page in RUN if page in sys.argv[2:]] or list(RUN)
    for page in wanted:
        RUN[page]()
    print(f"{checked} commands in {len(BLOCKS)} blocks and {spans} between backquotes are right; {len(wanted)} pages ran")


main()
