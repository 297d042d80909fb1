"""Container metrics beside what a real engine and the kernel say, with containers that do what containers do. The engine is
asked through the filter (`taffrail socket-proxy`), as in the bundle.

usage: containers.py TAFFRAIL DOCKER BUSYBOX-IMAGE   (DOCKER_HOST names the engine)

Each check is said; the exit is 1 when one failed."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

TAFFRAIL, DOCKER, IMAGE = sys.argv[1:4]
PREFIX = f"taffrail-{os.getpid()}"
FAILED = []
LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def docker(*words):
    return subprocess.run([DOCKER, *words], check=True, capture_output=True, text=True).stdout.strip()


def start(name, *words, options=()):
    docker("run", "--detach", "--name", f"{PREFIX}-{name}", *options, IMAGE, *words)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Page:
    """The pull page, as a list of name, labels and value."""

    def __init__(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics/container", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        found = (LINE.match(line) for line in lines if not line.startswith("#"))
        self.series = [(m[1], dict(LABEL.findall(m[2] or "")), float(m[3])) for m in found if m]

    def of(self, container, metric, **labels):
        """The one value of a metric of a container, or none."""
        wanted = {"name": f"{PREFIX}-{container}", **labels}
        for name, have, value in self.series:
            if name == metric and all(have.get(k) == v for k, v in wanted.items()):
                return value
        return None

    def count(self, container):
        return sum(1 for _, have, _ in self.series if have.get("name") == f"{PREFIX}-{container}" and "id" in have)


def check(what, look, seconds=30):
    """Looks until it is so; the last reason is told when it never is."""
    end, why = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        try:
            why = look()
        except OSError as error:
            why = str(error)
        if why is None:
            print(f"  ok: {what}")
            return
        time.sleep(0.3)
    FAILED.append(what)
    print(f"  FAILED: {what}: {why}", file=sys.stderr)


def near(ours, theirs, share, what):
    if ours is None:
        return f"{what} is not there"
    return None if abs(ours - theirs) <= share * max(abs(theirs), 1) else f"{what}: {ours}, the engine says {theirs}"


def stats(name):
    return json.loads(
        subprocess.run(
            ["curl", "-sf", "--unix-socket", os.environ["DOCKER_HOST"].removeprefix("unix://"),
             f"http://engine/containers/{PREFIX}-{name}/stats?stream=false&one-shot=true"],
            check=True, capture_output=True, text=True).stdout)


def through(filter_socket, path, method="GET"):
    """Status and body of an answer of the filter."""
    answer = subprocess.run(["curl", "-s", "-X", method, "-w", "\n%{http_code}", "--unix-socket", filter_socket,
                             f"http://engine{path}"], check=True, capture_output=True, text=True).stdout
    body, status = answer.rsplit("\n", 1)
    return int(status), body


def filtered(filter_socket):
    """What the filter lets through of a real engine, and what it does not."""
    name = f"{PREFIX}-secret"
    docker("run", "--detach", "--name", name, "--env", "PASSWORD=hunter2", IMAGE, "sh", "-c", "echo said; sleep 600; : hunter2")
    told = docker("inspect", name)
    expect("the engine tells the environment and the command", "hunter2" in told, told)
    for path in (f"/containers/{name}/json", "/containers/json?all=1", f"/v1.44/containers/{name}/json?size=1", "/info",
                 "/version", f"/images/{IMAGE}/json", "/networks", "/_ping"):
        status, body = through(filter_socket, path)
        expect(f"{path.replace(PREFIX, 'ID')} comes through without", status == 200 and "hunter2" not in body, f"{status} {body}")
    check("logs come through", lambda: None if "said" in through(filter_socket, f"/containers/{name}/logs?stdout=1")[1]
          else "they do not")
    for method, path in (("POST", f"/containers/{name}/stop"), ("DELETE", f"/containers/{name}?force=1"),
                         ("GET", f"/containers/{name}/archive?path=/etc"), ("GET", f"/containers/{name}/top"),
                         ("GET", f"/containers/{name}/logs?stdout=1&details=1"), ("GET", "/volumes"),
                         ("POST", f"/containers/{name}/exec"), ("GET", f"/containers/{name}/attach/ws")):
        status, body = through(filter_socket, path, method)
        expect(f"{method} {path.replace(PREFIX, 'ID')} is refused", status == 403 and "refused" in body, f"{status} {body}")
    expect("it still runs", docker("inspect", "--format", "{{.State.Running}}", name) == "true", "it was stopped")


def expect(what, right, got):
    if right:
        print(f"  ok: {what}")
    else:
        FAILED.append(what)
        print(f"  FAILED: {what}: {got}", file=sys.stderr)


def happens(page):
    """Every kind of event, each counted and told."""
    start("shop", "sleep", "600")
    check("a start is counted", lambda: None if counted(page(), "shop", "start") == 1 else "it is not")
    docker("commit", "--change", "LABEL version=2", f"{PREFIX}-shop", f"{PREFIX}:2")
    docker("rm", "--force", f"{PREFIX}-shop")
    docker("run", "--detach", "--name", f"{PREFIX}-shop", f"{PREFIX}:2", "sleep", "600")
    for event in ("start", "die", "destroy", "deployment"):
        wanted = 2 if event == "start" else 1
        check(f"{event} is counted", lambda event=event, wanted=wanted: None if counted(page(), "shop", event) == wanted
              else f"{counted(page(), 'shop', event)} times")
    check("health that changes is counted", lambda: None if counted(page(), "sick", "health") else "it is not")


def checks(port):
    def page():
        return Page(port)

    start("burn", "sh", "-c", "while :; do :; done", options=("--cpus=0.3", "--label=com.docker.compose.project=shop"))
    start("limited", "sleep", "600", options=("--memory=64m", "--memory-reservation=32m"))
    start("sick", "sleep", "600", options=("--health-cmd=false", "--health-interval=1s", "--health-retries=1"))
    start("restarts", "sh", "-c", "sleep 1; exit 3", options=("--restart=on-failure:3",))
    start("eats", "sh", "-c", "sleep 2; while :; do x=$x$x$x$x$(head -c 1000000 /dev/zero | tr '\\0' x); done",
          options=("--memory=24m", "--memory-swap=24m"))
    start("hosted", "sleep", "600", options=("--network=host",))
    start("writes", "sh", "-c", "dd if=/dev/zero of=/file bs=1M count=20; sync; sleep 600")
    start("talks", "sh", "-c", "head -c 2000000 /dev/zero | nc -u -w 1 10.214.0.1 9; sleep 600")

    check("CPU time as the engine counts it", lambda: near(
        page().of("burn", "container_cpu_usage_seconds_total", cpu="total"),
        stats("burn")["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, 0.15, "CPU seconds"))
    check("throttled periods as the engine counts them", lambda: near(
        page().of("burn", "container_cpu_cfs_throttled_periods_total"),
        stats("burn")["cpu_stats"]["throttling_data"]["throttled_periods"], 0.2, "periods"))
    check("labels of Compose", lambda: None if page().of(
        "burn", "container_last_seen", container_label_com_docker_compose_project="shop") else "no such label")
    check("memory as the engine counts it", lambda: near(
        page().of("limited", "container_memory_usage_bytes"), stats("limited")["memory_stats"]["usage"], 0.1, "bytes"))
    check("memory limit and reservation", lambda: None if [
        page().of("limited", f"container_spec_memory_{kind}_bytes") for kind in ("limit", "reservation_limit")
    ] == [64 << 20, 32 << 20] else "others than given")
    check("no more than 45 series", lambda: None if 30 <= page().count("limited") <= 45
          else f"{page().count('limited')} series")
    check("an unhealthy container, and one without a check", lambda: None if [
        page().of(name, "container_health_state") for name in ("sick", "limited")] == [0, -1] else "other states")
    check("restarts as the engine counts them", lambda: near(page().of("restarts", "container_restarts_total") or
          counted(page(), "restarts", "die"), 3, 0.4, "restarts"))
    check("a kill for lack of memory is counted", lambda: None if counted(page(), "eats", "oom") else "none counted")
    check("packets sent as the engine counts them", lambda: near(
        page().of("talks", "container_network_transmit_packets_total", interface="eth0"),
        stats("talks")["networks"]["eth0"]["tx_packets"], 0.1, "packets"))
    check("a container on the host's network has none of its own", lambda: None if page().of(
        "hosted", "container_network_receive_bytes_total") is None else "it has the host's")
    happens(page)
    docker("rm", "--force", f"{PREFIX}-burn")
    check("all series of a container end with it", lambda: None if page().of("burn", "container_last_seen") is None
          else "they are still there", 5)
    check("bytes written, once a minute", lambda: None if (page().of("writes", "container_fs_usage_bytes") or 0) >= 20 << 20
          else f"{page().of('writes', 'container_fs_usage_bytes')} bytes", 90)


def counted(page, container, event):
    found = [v for name, have, v in page.series if name == "container_events_total"
             and have.get("name") == f"{PREFIX}-{container}" and have.get("event") == event]
    return found[0] if found else 0


def main():
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config = os.path.join(folder, "taffrail.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"interval: 1s\nhostname: ship\nlisten: 127.0.0.1:{port}\ndata_dir: {folder}/data\n"
                       f"containers: {{docker: \"unix://{folder}/engine.sock\"}}\n")
        engine = os.environ["DOCKER_HOST"].removeprefix("unix://")
        proxy = [TAFFRAIL, "socket-proxy", "--engine", engine, "--listen", f"{folder}/engine.sock"]
        with open(os.path.join(folder, "log"), "w+", encoding="utf-8") as log, \
                subprocess.Popen(proxy, stdout=log, stderr=log) as filter_, \
                subprocess.Popen([TAFFRAIL, "run", "--config", config], stdout=log, stderr=log) as taffrail:
            try:
                check("the filter serves", lambda: None if subprocess.run(
                    [*proxy, "--check"], check=False, capture_output=True).returncode == 0 else "it does not")
                check("it runs", lambda: None if Page(port).series else "no series")
                filtered(f"{folder}/engine.sock")
                checks(port)
            finally:
                taffrail.terminate()
                filter_.terminate()
                names = docker("ps", "--all", "--quiet", "--filter", f"name={PREFIX}-").split()
                if names:
                    docker("rm", "--force", *names)
                subprocess.run([DOCKER, "rmi", "--force", f"{PREFIX}:2"], check=False, capture_output=True)
                if FAILED:
                    log.seek(0)
                    print(log.read(), file=sys.stderr)
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
