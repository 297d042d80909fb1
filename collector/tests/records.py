"""Lines of containers, through the records that a real engine writes of them.

usage: records.py TAFFRAIL DOCKER BUSYBOX-IMAGE   (DOCKER_HOST names the engine)

Each check is said; the exit is 1 when one failed."""

import glob
import json
import os
import subprocess
import sys
import tempfile

TAFFRAIL, DOCKER, IMAGE = sys.argv[1:4]
PREFIX = f"taffrail-{os.getpid()}"
FAILED = []
# 50,000 bytes without an end: an engine splits them.
LONG = "i=0; while [ $i -lt 5000 ]; do printf 0123456789; i=$((i+1)); done; echo ' end'; "


def run(*words):
    return subprocess.run(words, check=True, capture_output=True).stdout.decode(errors="replace").strip()


def lines(folder, script, options=()):
    """What leaves of what a container writes: stream and line, in the order of the records."""
    name = f"{PREFIX}-writes"
    run(DOCKER, "run", "--name", name, "--log-driver=json-file", *options, IMAGE, "sh", "-c", script)
    try:
        path = run(DOCKER, "inspect", "--format", "{{.LogPath}}", name)
        found = []
        # Rotated ones have a number behind their name, the oldest has the highest.
        for file in sorted(glob.glob(glob.escape(path) + "*"), reverse=True):
            left = run(TAFFRAIL, "tail", "--json", "--config", os.path.join(folder, "taffrail.yml"), file)
            for line in map(json.loads, left.splitlines()):
                if not line["time"]:
                    FAILED.append(f"no time: {line}")
                found.append((line["labels"].get("stream"), line["line"]))
        return found
    finally:
        run(DOCKER, "rm", "--force", name)


def check(what, found, expected):
    if found == expected:
        print(f"  ok: {what}")
        return
    FAILED.append(what)
    print(f"  FAILED: {what}: {str(found)[:2000]}", file=sys.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "taffrail.yml"), "w", encoding="utf-8") as file:
            file.write("logs: [{files: {include: [/x], format: docker}}]\n")
        long = "0123456789" * 5000 + " end"
        check("a line in parts is one line", lines(folder, LONG + "echo after"), [("stdout", long), ("stdout", "after")])
        check("both streams, and what has to be escaped",
              sorted(lines(folder, r"""echo 'to "err" <b> \ back' >&2; printf 'bad \377 byte \033[31m tab\t\n'""")),
              [("stderr", 'to "err" <b> \\ back'), ("stdout", "bad \ufffd byte \x1b[31m tab\t")])
        check("attributes", lines(folder, "echo a", ("--log-opt=tag=x", "--log-opt=labels=b", "--label=b=c")),
              [("stdout", "a")])
        check("a terminal", lines(folder, "echo a; echo b", ("--tty",)), [("stdout", "a"), ("stdout", "b")])
        check("last words without an end", lines(folder, "echo a; printf b"), [("stdout", "a"), ("stdout", "b")])
        check("rotations", lines(folder, "i=0; while [ $i -lt 600 ]; do echo line $i; i=$((i+1)); done",
                                 ("--log-opt=max-size=10k", "--log-opt=max-file=9")),
              [("stdout", f"line {n}") for n in range(600)])
    for what in FAILED:
        print(f"FAILED: {what}", file=sys.stderr)
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
