"""Logs of containers beside a real engine: by file and through its API, across restarts of everything.

usage: container_logs.py TAFFRAIL LOKI-DOUBLE DOCKER BUSYBOX-IMAGE DOCKERD.SH [SHORT-LIVED]   (DOCKER_HOST names the engine)

SHORT-LIVED is how many containers that live a tenth of a second are started, of each kind. Each check is said; the exit is 1
when one failed."""

import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

TAFFRAIL, LOKI, DOCKER, IMAGE, DOCKERD = sys.argv[1:6]
SHORT = int(sys.argv[6]) if len(sys.argv) > 6 else 20
PREFIX = f"taffrail-{os.getpid()}"
FAILED = []
PATIENCE = 90


def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True).stdout.decode(errors="replace").strip()


def docker(*words):
    return run(DOCKER, *words)


def start(name, script, *options):
    docker("run", "--detach", "--name", f"{PREFIX}-{name}", *options, IMAGE, "sh", "-c", script)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def count(name, options=""):
    """A script that writes numbered lines."""
    return f"i=0; while [ $i -lt {name} ]; do echo line $i; i=$((i+1)); {options} done"


class Bed:
    """A collector with a receiver."""

    def __init__(self, folder):
        self.folder, self.loki, self.port = folder, free_port(), free_port()
        self.config = os.path.join(folder, "taffrail.yml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"interval: 5s\nhostname: ship\nlisten: 127.0.0.1:{self.port}\ndata_dir: {folder}/data\n"
                       f"containers: {{docker: \"{os.environ['DOCKER_HOST']}\"}}\n"
                       f"logs: [{{containers: {{start: beginning, include: {{names: [\"{PREFIX}-*\"]}}, "
                       f"exclude: {{labels: [team=nobody]}}}}, labels: {{env: test}}}}]\n"
                       f"outputs: {{loki: [{{url: \"http://127.0.0.1:{self.loki}\"}}]}}\n")
        self.log = open(os.path.join(folder, "log"), "w+", encoding="utf-8")
        self.receiver = subprocess.Popen([LOKI, "--listen", f"127.0.0.1:{self.loki}"], stdout=self.log, stderr=self.log)
        self.taffrail = None
        self.begin()

    def begin(self):
        self.taffrail = subprocess.Popen([TAFFRAIL, "run", "--config", self.config], stdout=self.log, stderr=self.log)

    def end(self, how=signal.SIGTERM):
        self.taffrail.send_signal(how)
        self.taffrail.wait()

    def streams(self):
        return json.loads(get(self.loki, "/entries"))

    def of(self, container):
        """The streams of a container."""
        return [s for s in self.streams() if s["labels"].get("container") == f"{PREFIX}-{container}"]

    def lines(self, container, stream="stdout"):
        return [e["line"] for s in self.of(container) if s["labels"].get("stream") == stream for e in s["entries"]]

    def source(self):
        return json.loads(get(self.port, "/api/v1/status"))["sources"][0]

    def notes(self):
        return [e["line"] for s in self.streams() if s["labels"]["job"] == "taffrail" for e in s["entries"]]

    def close(self):
        for process in (self.taffrail, self.receiver):
            process.terminate()
            process.wait()


def check(what, look, seconds=PATIENCE):
    """Looks until it is so; the last reason is told when it never is."""
    end, why = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        try:
            why = look()
        except (OSError, KeyError, IndexError) as error:
            why = repr(error)
        if why is None:
            print(f"  ok: {what}", flush=True)
            return
        time.sleep(0.3)
    FAILED.append(what)
    print(f"  FAILED: {what}: {str(why)[:1000]}", file=sys.stderr, flush=True)


def numbered(bed, container, lines):
    """Every line once, in order."""
    wanted = [f"line {n}" for n in range(lines)]

    def look():
        got = bed.lines(container)
        if got == wanted:
            return None
        missing, twice = set(wanted) - set(got), len(got) - len(set(got))
        return f"{len(got)} lines, {len(missing)} missing ({sorted(missing)[:3]}), {twice} twice, last {got[-2:]}"
    return look


def labels(bed):
    """What streams and entries carry."""
    start("web-1", "echo out; echo err >&2; sleep 600", "--label=com.docker.compose.project=shop",
          "--label=com.docker.compose.service=web")
    full = docker("inspect", "--format", "{{.Id}}", f"{PREFIX}-web-1")

    def look():
        found = bed.of("web-1")
        wanted = {"compose_project": "shop", "compose_service": "web", "container": f"{PREFIX}-web-1", "env": "test",
                  "instance": "ship", "job": "containers", "service_name": "web"}
        if sorted((s["labels"] for s in found), key=str) != sorted(
                ({**wanted, "stream": stream} for stream in ("stderr", "stdout")), key=str):
            return str([s["labels"] for s in found])
        metadata = found[0]["entries"][0]["metadata"]
        right = metadata.get("container_id") == full[:12] and metadata.get("image") == IMAGE
        return None if right else str(metadata)
    check("labels and structured metadata", look)


def settings(bed):
    """Labels of containers, and what the configuration leaves out."""
    start("off", "echo never", "--label=taffrail.logs=off")
    start("nobody", "echo never", "--label=team=nobody")
    start("named", "echo '{\"a\": 1}'", "--label=taffrail.service=store", "--label=taffrail.logs.format=json")
    start("trace", "echo 'java.lang.Error: x'; echo '\tat a.B.c(B.java:1)'; echo '\tat a.B.d(B.java:2)'; echo after",
          "--label=taffrail.logs.multiline=java", "--log-driver=local")
    start("wrong", "echo still", "--label=taffrail.logs=of")
    check("the service's name is the label's", lambda: None if [
        s["labels"]["service_name"] for s in bed.of("named")] == ["store"] else "it is not")
    check("a stack trace is one entry", lambda: None if [line.count("\n") for line in bed.lines("trace")] == [2, 0]
          else str(bed.lines("trace")))
    check("a wrong label stops nothing", lambda: None if bed.lines("wrong") == ["still"] else "it does")
    check("a wrong label is told of", lambda: None if any(
        "event=container_label" in note and "should be `off` or `on`" in note for note in bed.notes()) else "it is not")
    check("what is left out is left out", lambda: None if not bed.of("off") + bed.of("nobody") else "it is read", 2)


def drivers(bed):
    """Each driver from the beginning to the end, while the collector is stopped, killed and started again."""
    slow = count(3000, "[ $((i%100)) = 0 ] && sleep 0.2;")
    start("file", slow, "--log-driver=json-file", "--log-opt=max-size=10k", "--log-opt=max-file=20")
    start("asked", slow, "--log-driver=local")
    start("terminal", count(50), "--log-driver=local", "--tty")
    start("long", "i=0; while [ $i -lt 5000 ]; do printf 0123456789; i=$((i+1)); done; echo ' end'; echo after",
          "--log-driver=local")
    for how in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL):
        time.sleep(1.5)
        bed.end(how)
        bed.begin()
    check("a file that is rotated, every line once", numbered(bed, "file", 3000))
    check("the engine is asked, every line once", numbered(bed, "asked", 3000))
    check("a terminal", numbered(bed, "terminal", 50))
    check("a line in parts is one", lambda: None if bed.lines("long") == ["0123456789" * 5000 + " end", "after"]
          else str([len(line) for line in bed.lines("long")]))
    start("again", "echo begin; sleep 600", "--log-driver=local")
    check("a container that runs", lambda: None if bed.lines("again") == ["begin"] else str(bed.lines("again")))
    docker("restart", "--time", "0", f"{PREFIX}-again")
    check("its cursor outlives its restart", lambda: None if bed.lines("again") == ["begin"] * 2 else str(bed.lines("again")))
    bed.end()
    docker("restart", "--time", "0", f"{PREFIX}-again")
    bed.begin()
    check("and one while nobody read", lambda: None if bed.lines("again") == ["begin"] * 3 else str(bed.lines("again")))


def engine_restarts(bed):
    """The engine ends and comes back, its containers with it."""
    lines = bed.lines("again")
    run(DOCKERD, "stop")
    check("the source says who does not answer", lambda: None if "is the engine running" in str(bed.source()["last_error"])
          else str(bed.source()), 30)
    run(DOCKERD, "start")
    docker("start", f"{PREFIX}-again", f"{PREFIX}-web-1")
    check("goes on after the engine did", lambda: None if bed.lines("again") == lines + ["begin"]
          else str(bed.lines("again")))
    check("by file as well", lambda: None if bed.lines("web-1") == ["out"] * 2 else str(bed.lines("web-1")))


def redeployed(bed, copies=20, times=5):
    """Containers made anew under their names make no new stream."""
    def deploy(name):
        run(DOCKER, "rm", "--force", f"{PREFIX}-{name}", check=False)
        start(name, "echo here; sleep 600")

    names = [f"copy-{n}" for n in range(copies)]
    for deployment in range(times):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(deploy, names))
        check(f"deployment {deployment + 1} of {copies} containers", lambda deployment=deployment: None if all(
            len(bed.lines(name)) == deployment + 1 for name in names) else
            str({name: len(bed.lines(name)) for name in names}))
    streams = sum(len(bed.of(name)) for name in names)
    check(f"{times} deployments made {copies} streams", lambda: None if streams == copies else str(streams), 1)


def short_lived(bed, how, *options):
    """Containers that live a tenth of a second; none of those that stay there may be missed."""
    def one(number):
        docker("run", "--name", f"{PREFIX}-{how}-{number}", *options, IMAGE, "sh", "-c", f"echo {how} {number}; sleep 0.1")

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(SHORT)))
    took = time.monotonic() - began

    def got():
        return {line for s in bed.streams() for e in s["entries"] for line in [e["line"]] if line.startswith(f"{how} ")}
    end = time.monotonic() + 30
    while time.monotonic() < end and len(got()) < SHORT:
        time.sleep(0.3)
    print(f"  {how}: {len(got())} of {SHORT} containers that live 100 ms, started within {took:.0f} s", flush=True)
    return len(got())


def main():
    with tempfile.TemporaryDirectory() as folder:
        bed = Bed(folder)
        try:
            check("it runs", lambda: None if bed.source()["holding"] is None else str(bed.source()))
            labels(bed)
            settings(bed)
            drivers(bed)
            redeployed(bed)
            kept = short_lived(bed, "kept")
            check("every short-lived container was read", lambda: None if kept == SHORT else f"{kept} of {SHORT}", 1)
            short_lived(bed, "removed", "--rm")
            asked = short_lived(bed, "asked", "--log-driver=local")
            check("also where the engine is asked", lambda: None if asked == SHORT else f"{asked} of {SHORT}", 1)
            engine_restarts(bed)
            check("nothing was lost", lambda: None if bed.source()["lost_bytes"] == 0 else str(bed.source()), 2)
        finally:
            bed.close()
            names = docker("ps", "--all", "--quiet", "--filter", f"name={PREFIX}-").split()
            for at in range(0, len(names), 100):
                docker("rm", "--force", *names[at:at + 100])
            if FAILED:
                bed.log.seek(0)
                print(bed.log.read()[-20000:], file=sys.stderr)
    for what in FAILED:
        print(f"FAILED: {what}", file=sys.stderr)
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
