"""Compares what two collectors say of one host: the one outside a container, and the one inside.

usage: container.py OUTSIDE-URL INSIDE-URL [TRIES]

Every family must be on both pages with the same type, and every series with the same labels. A value inside must lie
between those that were read outside before and after it. What the host does meanwhile makes single values miss that
now and then, so a series is wrong when it misses it every time."""

import re
import sys
import time
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

# So often each series may miss before it is wrong.
TRIES = 8

# Of the collectors' own work, which is not the same.
OWN = re.compile(r"node_scrape_collector_duration_seconds|process_|up$")

# Levels that go up and down within a second, with how far a value may lie outside of those around it, as a share.
RESTLESS = [
    (re.compile(r"node_load|node_procs_|node_processes_|node_memory_|node_sockstat_|node_tcp_|node_udp_|node_entropy"), 0.5),
    (re.compile(r"node_filesystem_(avail|free|files_free)|node_filefd_|node_nf_conntrack_entries$|node_cpu_scaling"), 0.2),
    (re.compile(r"node_buddyinfo|node_zoneinfo|node_slabinfo|node_hwmon|node_thermal|node_timex_|node_ksmd"), 0.5),
]


def page(url):
    with urllib.request.urlopen(f"{url}/metrics/host", timeout=10) as answer:
        text = answer.read().decode()
    types, values = {}, {}
    for family in text_string_to_metric_families(text):
        if OWN.match(family.name):
            continue
        types[family.name] = family.type
        for sample in family.samples:
            values[(sample.name, tuple(sorted(sample.labels.items())))] = sample.value
    return types, values


def misses(name, before, value, after):
    low, high = min(before, after), max(before, after)
    share = next((share for pattern, share in RESTLESS if pattern.match(name)), 0)
    room = share * max(abs(low), abs(high), 4 if share else 0)
    return not low - room <= value <= high + room


def compare(outside, inside):
    """What does not fit in one comparison."""
    before = page(outside)
    time.sleep(2.2)
    middle = page(inside)
    time.sleep(2.2)
    after = page(outside)
    wrong = {}
    for name in before[0].keys() | middle[0].keys():
        theirs, ours = before[0].get(name), middle[0].get(name)
        if theirs != ours:
            wrong[name] = f"{name}: {theirs} outside, {ours} inside"
    for key in before[1].keys() & after[1].keys() | middle[1].keys():
        name, labels = key
        shown = f"{name}{dict(labels)}"
        if key not in middle[1]:
            wrong[key] = f"{shown}: not inside"
        elif key not in before[1] or key not in after[1]:
            wrong[key] = f"{shown}: not outside"
        elif misses(name, before[1][key], middle[1][key], after[1][key]):
            wrong[key] = f"{shown}: {middle[1][key]} inside, {before[1][key]} and {after[1][key]} outside"
    return wrong, len(middle[0]), len(middle[1])


def main(outside, inside, tries=TRIES):
    always = None
    for _ in range(int(tries)):
        wrong, families, series = compare(outside, inside)
        always = wrong if always is None else {key: wrong[key] for key in always.keys() & wrong.keys()}
        if not always:
            break
    if families < 100:
        always["families"] = f"only {families} families to compare"
    print(f"{families} families, {series} series", file=sys.stderr)
    for text in sorted(always.values()):
        print(f"  {text}", file=sys.stderr)
    return 1 if always else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
