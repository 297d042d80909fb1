#!/usr/bin/env bash
# Brings the whole bundle up with Docker Engine and Compose, as observability.yml says it, and looks at it as its user
# would: is all of it healthy, is node_load1 in Prometheus, do log lines reach Loki's door, does HostDown reach
# Alertmanager when the collector dies, and does it end when the collector is back.
#
# There is no registry here, so each image is built from this machine's files and tagged as the compose file names it:
# Prometheus and Alertmanager are the real programs, taffrail is the real binary; Loki and Grafana are stand-ins that
# answer their health checks, take pushes, and read the password as Grafana does.
#
#   compose.sh                       builds the collector (debug) when it is not there, then tests it
#   TAFFRAIL_BIN=target/release/taffrail collector/tests/compose.sh
#   TAFFRAIL_IMAGE=as-is collector/tests/compose.sh   tests the image taffrail:local that the engine has already
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${TAFFRAIL_CACHE:-$root/.cache}
# shellcheck source=/dev/null
. "$cache/env.sh"
taffrail=${TAFFRAIL_BIN:-$root/target/debug/taffrail}

# shellcheck source=/dev/null
. "$here/images.sh"

say() { printf '%s\n' "$*" >&2; }

for tool in PROMETHEUS AMTOOL BUSYBOX DOCKER DOCKER_COMPOSE PYTHON; do
    [[ -n ${!tool:-} ]] || die "$tool is not there; run collector/tests/setup.sh and see what it says"
done

if [[ ${1:-} != inside ]]; then
    if [[ ! -x $taffrail && ${TAFFRAIL_IMAGE:-} != as-is ]]; then
        (cd "$root" && cargo build --package taffrail-collector --bin taffrail)
    fi
    exec "$here/dockerd.sh" run "$here/compose.sh" inside
fi

work=$(mktemp -d)
project=taffrail-test-$$

# --- images ------------------------------------------------------------------------------------

tag_of() { # SERVICE
    "$DOCKER_COMPOSE" -f "$root/observability.yml" config --format json |
        "$PYTHON" -c 'import json,sys; print(json.load(sys.stdin)["services"][sys.argv[1]]["image"])' "$1"
}

image_init() {
    shell "$1"
    image "$1" "$(tag_of init)" <<<'ENV PATH=/bin'
}

image_taffrail() {
    if [[ ${TAFFRAIL_IMAGE:-} == as-is ]]; then return 0; fi
    taffrail_image "$1" "$taffrail" "$(tag_of taffrail)"
}

image_prometheus() {
    shell "$1"
    program "$1" "$PROMETHEUS" /bin/prometheus
    mkdir "$1/data"
    image "$1" "$(tag_of prometheus)" <<<$'COPY --chown=65534:65534 data /prometheus\nENV PATH=/bin\nUSER 65534\nENTRYPOINT ["/bin/prometheus"]'
}

# Debian's looks for its templates in /usr/share; $ALERTMANAGER is a script that puts them there on this machine.
image_alertmanager() {
    local tree=${AMTOOL%/usr/bin/amtool}
    shell "$1"
    program "$1" "$tree/usr/bin/prometheus-alertmanager" /bin/alertmanager
    mkdir -p "$1/image/usr/share"
    cp -r "$tree/usr/share/prometheus" "$1/image/usr/share/"
    mkdir "$1/data"
    image "$1" "$(tag_of alertmanager)" <<<$'COPY --chown=65534:65534 data /alertmanager\nENV PATH=/bin\nUSER 65534\nENTRYPOINT ["/bin/alertmanager"]'
}

# Takes what is pushed and counts it in /loki/pushes; says ready.
image_loki() {
    shell "$1"
    mkdir -p "$1/image/usr/bin" "$1/data"
    cat >"$1/image/usr/bin/loki" <<'LOKI'
#!/bin/sh
[ "$1" != -health ] || exec wget -q -O /dev/null http://127.0.0.1:3100/ready
[ -r /etc/loki/loki.yml ] || exit 1
exec nc -ll -p 3100 -e /usr/bin/answer
LOKI
    cat >"$1/image/usr/bin/answer" <<'ANSWER'
#!/bin/sh
read -r method path _
length=0
while read -r name value && [ "${name%:}" != "$name" ]; do
    case "$name" in [Cc]ontent-[Ll]ength:) length=$(echo "$value" | tr -d '\r') ;; esac
done
head -c "$length" >/dev/null
case "$method $path" in
    "POST /loki/api/v1/push") echo "$length" >>/loki/pushes; status="204 No Content" ;;
    "GET /ready") status="200 OK" ;;
    *) status="404 Not Found" ;;
esac
printf 'HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' "$status"
ANSWER
    chmod 0755 "$1/image/usr/bin/"*
    image "$1" "$(tag_of loki)" <<<$'COPY --chown=10001:10001 data /loki\nENV PATH=/bin\nUSER 10001\nENTRYPOINT ["/usr/bin/loki"]'
}

# Reads its password's file as Grafana's own start script does, as Grafana's user; without it, it does not start.
image_grafana() {
    shell "$1"
    mkdir "$1/data"
    cat >"$1/image/run.sh" <<'GRAFANA'
#!/bin/sh
[ "$(cat "$GF_SECURITY_ADMIN_PASSWORD__FILE" | wc -c)" -eq 32 ] || exit 1
for file in /etc/grafana/provisioning/datasources/taffrail.yml /etc/grafana/provisioning/dashboards/taffrail.yml \
    "$GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"; do
    cat "$file" >/dev/null || exit 1
done
while :; do printf 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' | nc -l -p 3000 >/dev/null; done
GRAFANA
    chmod 0755 "$1/image/run.sh"
    image "$1" "$(tag_of grafana)" <<<$'COPY --chown=472:0 data /var/lib/grafana\nENV PATH=/bin\nUSER 472:0\nENTRYPOINT ["/run.sh"]'
}

# --- the bundle, made faster -------------------------------------------------------------------

# Only durations differ from what is shipped, minutes become seconds, and the folder whose logs are read: nothing is
# written into this machine's /var/log.
fast_copy() {
    mkdir "$work/bundle"
    (cd "$root" && cp -r observability.yml compose loki alerts dashboards "$work/bundle/")
    cd "$work/bundle"
    mkdir "$work/log"
    changed "s#source: /var/log,#source: $work/log,#" observability.yml
    changed 's/^interval: 15s/interval: 1s/' compose/taffrail.yml
    changed 's/evaluation_interval: 15s/evaluation_interval: 1s/' compose/prometheus.yml
    changed 's/> 120$/> 4/; s/\[2m\]/[4s]/; s/\[1d:1m\]/[1d:5s]/; s/for: 1m/for: 1s/' alerts/host.yml
    changed 's/group_wait: [0-9]*s/group_wait: 1s/' compose/alertmanager.yml
}

# A change that changes nothing would leave a test that waits for minutes, and then blames the alert.
changed() { # SED FILE
    cp "$2" "$work/before"
    sed -i "$1" "$2"
    ! cmp -s "$2" "$work/before" || die "nothing in $2 matches '$1': the test must follow the file"
}

free_ports() {
    "$PYTHON" - <<'PYTHON'
import socket

names = ["TAFFRAIL_PORT", "TAFFRAIL_PROMETHEUS_PORT", "TAFFRAIL_ALERTMANAGER_PORT", "TAFFRAIL_GRAFANA_PORT"]
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
for name, sock in zip(names, sockets):
    print(f"export {name}={sock.getsockname()[1]}")
PYTHON
}

compose() { "$DOCKER_COMPOSE" --project-name "$project" --file "$work/bundle/observability.yml" "$@"; }

# shellcheck disable=SC2317,SC2329 # called by the trap
finish() {
    local status=$?
    if ((status != 0)) && [[ -e $work/bundle ]]; then
        compose ps --all >&2 || true
        compose logs --tail 25 >&2 || true
        cat "$work/panels" >&2 2>/dev/null || true
    fi
    if [[ -e $work/bundle ]]; then compose down --volumes --timeout 5 >"$work/down" 2>&1 || cat "$work/down" >&2; fi
    rm -rf "$work"
}

# --- looking -----------------------------------------------------------------------------------

# The value of a query with one result, or nothing.
ask() { # PROMQL
    curl -sSf --max-time 5 --data-urlencode "query=$1" "http://127.0.0.1:$TAFFRAIL_PROMETHEUS_PORT/api/v1/query" |
        "$PYTHON" -c 'import json,sys; r=json.load(sys.stdin)["data"]["result"]; print(r[0]["value"][1] if len(r)==1 else "")'
}

# Alerts of one name in Alertmanager: how many are active.
active() { # ALERT
    curl -sSf --max-time 5 "http://127.0.0.1:$TAFFRAIL_ALERTMANAGER_PORT/api/v2/alerts?active=true&filter=alertname%3D$1" |
        "$PYTHON" -c 'import json,sys; print(len(json.load(sys.stdin)))'
}

wait_for() { # SECONDS WHAT COMMAND...
    local end=$((SECONDS + $1)) what=$2
    until "${@:3}"; do
        ((SECONDS < end)) || die "waited $1 s in vain for: $what"
        sleep 0.5
    done
    say "  ok: $what"
}

asked() { [[ -n $(ask "$1") ]]; }
alerts_active() { [[ $(active "$1") == "$2" ]]; }
# The bundle probes nothing and asks no database before its owner says what: those dashboards are empty as long as that.
shown=()
for file in dashboards/*.json; do
    case $file in
        */taffrail-probe.json) echo "SKIPPED: the panels of $file, as the bundle probes nothing by itself" ;;
        */taffrail-postgres.json) echo "SKIPPED: the panels of $file, as the bundle has no PostgreSQL server" ;;
        *) shown+=("$file") ;;
    esac
done

panels_filled() {
    "$PYTHON" "$here/panels.py" "http://127.0.0.1:$TAFFRAIL_PROMETHEUS_PORT" "$1" "${shown[@]}" >"$work/panels" 2>&1
}
pushed() { [[ -n $(compose exec -T loki cat /loki/pushes 2>/dev/null) ]]; }
expect() { # WHAT GOT WANTED
    [[ $2 == "$3" ]] || die "$1: got '$2', wanted '$3'"
    say "  ok: $1"
}

main() {
    trap finish EXIT
    local service password name bridge filter
    say "building the images"
    for service in init taffrail prometheus alertmanager loki grafana; do
        mkdir "$work/$service"
        "image_$service" "$work/$service"
    done
    fast_copy
    eval "$(free_ports)"
    export TAFFRAIL_DOCKER_SOCKET=${DOCKER_HOST#unix://}

    say "bringing the bundle up"
    compose up --detach --wait --wait-timeout 120 --no-build --pull never >"$work/up" 2>&1 || {
        cat "$work/up" >&2
        die "docker compose up --wait failed"
    }

    say "looking at it"
    name=$(cat /proc/sys/kernel/hostname)
    wait_for 20 "node_load1 of this host is in Prometheus" asked "node_load1{job=\"node\", instance=\"$name\"}"
    wait_for 20 "the host says that it is up" asked "up{job=\"node\", instance=\"$name\"} == 1"
    wait_for 20 "the host is known by its own name" asked "node_uname_info{nodename=\"$name\"}"
    wait_for 20 "the recording rules have results" asked "instance:node_load1_per_cpu:ratio"
    echo "$(date -u +%FT%TZ) written by a test" >>"$work/log/app.log"
    wait_for 30 "a log line reaches Loki's door" pushed
    expect "the host's file systems are there, not the container's" "$(ask "count(node_filesystem_size_bytes{mountpoint='/'})")" 1
    # The engine's bridge is on the host and in no container.
    bridge=$(find /sys/class/net -mindepth 1 -maxdepth 1 -printf '%f\n' | grep -v -E '^(lo|eth|en|veth)' | head -n 1)
    expect "the network is the host's, not the container's" "$(ask "count(node_network_receive_bytes_total{device='$bridge'})")" 1
    expect "the live page answers on loopback" "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$TAFFRAIL_PORT/")" 200
    wait_for 40 "every panel of every dashboard has data" \
        panels_filled "$name"
    cat "$work/panels" >&2
    expect "no alert fires" "$(active HostDown)" 0
    expect "a container of the bundle has its name, its image and its service" "$(ask "count(container_last_seen{name='$project-loki-1', image='$(tag_of loki)', container_label_com_docker_compose_service='loki'})")" 1
    expect "the engine answers, through the filter" "$(ask 'container_engine_up')" 1
    filter="/proc/$("$DOCKER" inspect -f '{{.State.Pid}}' "$(compose ps -q socket-proxy)")/root/run/taffrail/engine.sock"
    expect "the filter refuses to start containers" \
        "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$filter" -X POST http://engine/containers/create)" 403
    expect "the filter tells nothing of an environment" \
        "$(curl -s --unix-socket "$filter" "http://engine/containers/$project-loki-1/json" | grep -c GOMEMLIMIT)" 0
    expect "the engine does" "$("$DOCKER" inspect "$project-loki-1" | grep -c GOMEMLIMIT)" 1
    expect "the filter has no capability" \
        "$(awk '/^CapEff/ { print $2 }' "/proc/$("$DOCKER" inspect -f '{{.State.Pid}}' "$(compose ps -q socket-proxy)")/status")" \
        0000000000000000
    expect "the engine's socket is covered in the collector" \
        "$(stat -c %F "/proc/$("$DOCKER" inspect -f '{{.State.Pid}}' "$(compose ps -q taffrail)")/root/host$TAFFRAIL_DOCKER_SOCKET")" \
        "character special file"

    password=$(compose run --rm -T init show 2>/dev/null)
    compose run --rm -T init make >/dev/null 2>&1
    expect "a second start keeps the password" "$(compose run --rm -T init show 2>/dev/null)" "$password"
    expect "the password is 32 characters" "$(printf %s "${password##* }" | wc -c)" 32
    expect "the collector has one capability, DAC_READ_SEARCH" \
        "$(awk '/^CapEff/ { print $2 }' "/proc/$("$DOCKER" inspect -f '{{.State.Pid}}' "$(compose ps -q taffrail)")/status")" \
        0000000000000004

    compose run --rm -T taffrail check >"$work/check" 2>&1 || die "taffrail check: $(cat "$work/check")"
    say "  ok: the collector finds nothing wrong with its config"

    # sed puts a new file in the old one's place, as editors do.
    sed -i '$a labels: {env: reloaded}' compose/taffrail.yml
    compose kill --signal HUP taffrail >/dev/null 2>&1
    wait_for 20 "a changed config is live after SIGHUP" asked "up{job=\"node\", env=\"reloaded\"}"
    sleep 8 # longer than HostDown takes here
    expect "a new label is not a dead host" "$(active HostDown)" 0

    # SIGTERM is the harder case: an upgrade must not mark the series stale, or every alert would start anew.
    say "stopping the collector"
    compose stop taffrail >/dev/null 2>&1
    wait_for 60 "HostDown is in Alertmanager" alerts_active HostDown 1
    compose start taffrail >/dev/null 2>&1
    wait_for 60 "HostDown ends when the collector is back" alerts_active HostDown 0
    say "the bundle works"
}

main
