"""docker_sd_configs beside Prometheus' own, on one engine, while containers come and go.

usage: docker_sd.py TAFFRAIL PROMETHEUS DOCKER PLAIN-IMAGE EXPOSED-IMAGE   (DOCKER_HOST names the engine)

Each comparison is said; the exit is 1 when one failed."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

TAFFRAIL, PROMETHEUS, DOCKER, PLAIN, EXPOSED = sys.argv[1:6]
PREFIX = f"taffrail-sd-{os.getpid()}"
MINE = f"com.example.run={PREFIX}"
FAILED = []

# Jobs that ask in each of the ways there are. %s is the engine; only containers of this run are found.
JOBS = """
scrape_configs:
  - job_name: usual
    docker_sd_configs: [{host: '%(host)s', refresh_interval: 1s, filters: [{name: label, values: ['%(mine)s']}]}]
  - job_name: all-networks
    docker_sd_configs: [{host: '%(host)s', refresh_interval: 1s, match_first_network: false, filters: [{name: label, values: ['%(mine)s']}]}]
  - job_name: port
    docker_sd_configs: [{host: '%(host)s', refresh_interval: 1s, port: 8080, host_networking_host: node.example, filters: [{name: label, values: ['%(mine)s']}]}]
  - job_name: named
    docker_sd_configs: [{host: '%(host)s', refresh_interval: 1s, filters: [{name: name, values: ['%(prefix)s-two']}, {name: status, values: [running]}]}]
  - job_name: relabelled
    docker_sd_configs: [{host: '%(host)s', refresh_interval: 1s, filters: [{name: label, values: ['%(mine)s']}]}]
    relabel_configs:
      - {source_labels: [__meta_docker_container_label_org_example_team], regex: shop, action: keep}
      - {source_labels: [__meta_docker_container_name], regex: '/%(prefix)s-(.*)', target_label: container}
      - {regex: __meta_docker_network_(name|internal), action: labelmap}
"""


def docker(*words):
    return subprocess.run([DOCKER, *words], check=True, capture_output=True, text=True).stdout.strip()


def start(name, image, *options):
    docker("run", "--detach", "--name", f"{PREFIX}-{name}", "--label", MINE, *options, image, "sleep", "600")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


def frozen(labels):
    return tuple(sorted(labels.items()))


def theirs(port):
    data = get(port, "/api/v1/targets")["data"]
    active = {(t["scrapePool"], frozen(t["discoveredLabels"]), frozen(t["labels"]), t["scrapeUrl"])
              for t in data["activeTargets"]}
    return active | {(t["scrapePool"], frozen(t["discoveredLabels"]), None, None) for t in data["droppedTargets"]}


def ours(port):
    found = set()
    for job in get(port, "/api/v1/status")["jobs"]:
        if job["problems"]:
            raise OSError(f"{job['name']}: {job['problems']}")
        for target in job["targets"]:
            found.add((job["name"], frozen(target["discovered"]), frozen(target["labels"]), target["url"]))
        found |= {(job["name"], frozen(labels), None, None) for labels in job["dropped_labels"]}
    return found


def same(what, ports, wanted, seconds=30):
    """Waits until both know the same, and as many targets of each job as are wanted."""
    end, why = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        try:
            mine, others = ours(ports[0]), theirs(ports[1])
            counts = {job: sum(1 for t in others if t[0] == job) for job in wanted}
            if counts != wanted:
                why = f"Prometheus has {counts}, not {wanted}"
            elif mine != others:
                why = f"only here {sorted(map(str, mine - others))}, only there {sorted(map(str, others - mine))}"
            else:
                print(f"  ok: {what}: {len(mine)} targets, dropped ones included")
                return
        except OSError as error:
            why = str(error)
        time.sleep(0.3)
    FAILED.append(what)
    print(f"  FAILED: {what}: {why}", file=sys.stderr)


def checks(ports):
    """The containers: with ports, with none, in two networks, in the host's, in another's, and one that has ended.

    The one in another's network has the same address as that: without a rule that tells them apart, they are one."""
    same("containers of all kinds", ports,
         {"usual": 8, "all-networks": 10, "port": 8, "named": 2, "relabelled": 9})
    docker("rm", "--force", f"{PREFIX}-two")
    start("late", EXPOSED, "--label", "a.b-c/d=über", "--publish", "127.0.0.1::9100")
    same("one that is gone, and one that came", ports,
         {"usual": 8, "all-networks": 8, "port": 8, "named": 0, "relabelled": 9})
    docker("network", "connect", "--ip", "10.213.77.9", f"{PREFIX}-net", f"{PREFIX}-late")
    same("one that was connected to a second network", ports,
         {"usual": 8, "all-networks": 10, "port": 8, "named": 0, "relabelled": 9})
    docker("stop", "--time", "0", f"{PREFIX}-plain")
    same("one that was stopped, and with it one in its network", ports,
         {"usual": 7, "all-networks": 9, "port": 7, "named": 0, "relabelled": 7})


def run(work):
    docker("network", "create", "--subnet", "10.213.77.0/24", "--label", "net.kind=front end", f"{PREFIX}-net")
    start("exposed", EXPOSED)
    start("plain", PLAIN, "--label", "org.example.team=none")
    start("published", EXPOSED, "--publish", "127.0.0.1::9100", "--publish", "127.0.0.1::9200")
    start("two", EXPOSED, "--network", f"{PREFIX}-net")
    docker("network", "connect", "bridge", f"{PREFIX}-two")
    start("hosted", PLAIN, "--network", "host")
    start("shares", PLAIN, "--network", f"container:{PREFIX}-plain")
    start("ended", EXPOSED)
    docker("stop", "--time", "0", f"{PREFIX}-ended")
    jobs = JOBS % {"host": os.environ["DOCKER_HOST"], "mine": MINE, "prefix": PREFIX}
    text = "global: {scrape_interval: 1h}\n" + jobs
    for name in ("prometheus.yml", "taffrail.yml"):
        with open(os.path.join(work, name), "w", encoding="utf-8") as file:
            file.write(text)
    ports = free_port(), free_port()
    commands = [
        [TAFFRAIL, "run", "--config", f"{work}/taffrail.yml", "--set", f"listen=127.0.0.1:{ports[0]}",
         "--set", f"data_dir={work}/data"],
        [PROMETHEUS, f"--config.file={work}/prometheus.yml", f"--storage.tsdb.path={work}/tsdb",
         f"--web.listen-address=127.0.0.1:{ports[1]}"],
    ]
    processes = []
    try:
        for command in commands:
            with open(f"{work}/log-{len(processes)}", "w", encoding="utf-8") as log:
                processes.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
        checks(ports)
    finally:
        for process in processes:
            process.terminate()
            process.wait()
        if FAILED:
            with open(f"{work}/log-0", encoding="utf-8") as log:
                print(log.read()[-3000:], file=sys.stderr)


def main():
    with tempfile.TemporaryDirectory(prefix="taffrail-sd-") as work:
        try:
            run(work)
        finally:
            names = docker("ps", "--all", "--quiet", "--filter", f"label={MINE}").split()
            if names:
                docker("rm", "--force", *names)
            subprocess.run([DOCKER, "network", "rm", f"{PREFIX}-net"], check=False, capture_output=True)
    sys.exit(1 if FAILED else 0)


main()
