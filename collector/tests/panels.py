"""Asks a live Prometheus what every panel of every dashboard asks, as Grafana would.

usage: panels.py PROMETHEUS-URL INSTANCE DASHBOARD...

A query that fails is a fault. So is a panel without data, unless it shows only what is wrong, or asks for a metric
that this machine does not have (no pressure figures in an old kernel)."""

import json
import re
import sys
import urllib.parse
import urllib.request

# Nothing to show is what these hope for.
EMPTY_IS_GOOD = {"Broken mounts", "Subjects that fail"}


def ask(url, expr):
    body = urllib.parse.urlencode({"query": expr}).encode()
    with urllib.request.urlopen(f"{url}/api/v1/query", body, timeout=10) as answer:
        return json.load(answer)["data"]["result"]


def filled(expr, instance, uid):
    """The expression with Grafana's variables replaced; rates over 20 s, since the test has no minutes to wait."""
    job = "cadvisor" if uid == "taffrail-containers" else "node"
    expr = expr.replace("$name", ".*")
    expr = expr.replace("$__rate_interval", "20s").replace("$__interval", "20s").replace("$__range", "1m")
    return expr.replace("$job", job).replace("$instance", instance)


def panels(board):
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def faults(url, instance, board):
    for panel in panels(board):
        targets = [t for t in panel.get("targets", []) if t["datasource"]["type"] == "prometheus"]
        if not targets:
            continue
        title, results, missing = panel["title"], 0, set()
        for target in targets:
            expr = filled(target["expr"], instance, board.get("uid"))
            try:
                found = ask(url, expr)
            except urllib.error.HTTPError as error:
                yield f"{title}: {json.load(error)['error']}, in: {expr}"
                continue
            results += len(found)
            for metric in set(re.findall(r"\b(?:node|container)_\w+", expr)):
                if not ask(url, f'{metric}{{instance="{instance}"}}'):
                    missing.add(metric)
        if results == 0 and title not in EMPTY_IS_GOOD:
            if missing:
                print(f"        not on this machine: {title} ({', '.join(sorted(missing))})")
            else:
                yield f"{title}: no data"


if __name__ == "__main__":
    URL, INSTANCE = sys.argv[1:3]
    FAULTS = []
    for path in sys.argv[3:]:
        with open(path, encoding="utf-8") as file:
            FAULTS += [f"{path}: {fault}" for fault in faults(URL, INSTANCE, json.load(file))]
    print("\n".join(FAULTS), file=sys.stderr)
    sys.exit(1 if FAULTS else 0)
