#!/usr/bin/env bash
# A Docker engine for tests only: its own data, bridge and socket, no TCP. Needs root (or passwordless
# sudo) and what setup.sh unpacked. It writes iptables rules of the usual names, so it is not for a
# machine whose own engine serves others.
#
#   dockerd.sh start   starts it, or does nothing when it runs; waits until it answers
#   dockerd.sh stop    stops it and takes its bridge away; images and volumes stay for the next start
#   dockerd.sh env     prints what to source to use it: eval "$(collector/tests/dockerd.sh env)"
#   dockerd.sh run CMD starts it, runs CMD with that environment, stops it if it was not running before
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${TAFFRAIL_CACHE:-$here/../../.cache}
cache=$(cd "$cache" && pwd)
# shellcheck source=/dev/null
. "$cache/env.sh"
if [[ -z ${DOCKERD:-} || -z ${DOCKER:-} ]]; then
    echo "dockerd.sh: there is no Docker engine in $cache; run collector/tests/setup.sh and see what it says" >&2
    exit 1
fi

data=${TAFFRAIL_DOCKER_ROOT:-$cache/dockerd}
# A unix socket's path has room for 107 bytes, and a checkout may lie deep: so it is named by a digest.
run=/tmp/taffrail-docker-$(printf %s "$data" | sha256sum | cut -c1-12)
socket=$run/docker.sock
bridge=taffrail-test0
log=$data/dockerd.log

say() { printf '%s\n' "$*" >&2; }

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

running() {
    [[ -e $run/dockerd.pid ]] && as_root kill -0 "$(cat "$run/dockerd.pid")" 2>/dev/null &&
        DOCKER_HOST=unix://$socket "$DOCKER" version >/dev/null 2>&1
}

print_env() {
    echo "export DOCKER_HOST='unix://$socket'"
    echo "export DOCKER_CONFIG='$DOCKER_CONFIG'"
    # BuildKit would want a plugin and an image from a registry; the classic builder needs neither.
    echo "export DOCKER_BUILDKIT=0"
    echo "export PATH='${DOCKER%/*}':\"\$PATH\""
}

start() {
    mkdir -p "$data" "$run"
    exec 8>"$data/lock"
    flock 8
    if running; then return 0; fi
    as_root "$BUSYBOX" ip link show "$bridge" >/dev/null 2>&1 || as_root "$BUSYBOX" ip link add "$bridge" type bridge
    as_root "$BUSYBOX" ip addr add 10.214.0.1/24 dev "$bridge" 2>/dev/null || true # it has it already
    as_root "$BUSYBOX" ip link set "$bridge" up
    # 8>&- : the engine must not hold the lock for as long as it lives.
    # Mounts are shared, as they are where systemd started: without, the engine refuses mounts with rslave.
    as_root env "PATH=${DOCKERD%/*}:$PATH" setsid unshare --mount --propagation shared "$DOCKERD" \
        --host "unix://$socket" --group "$(id -gn)" \
        --data-root "$data/data" --exec-root "$run/exec" --pidfile "$run/dockerd.pid" \
        --ip 127.0.0.1 --default-address-pool base=10.213.0.0/16,size=24 --bridge "$bridge" \
        </dev/null >"$log" 2>&1 8>&- &
    local tries engine=$!
    for ((tries = 0; tries < 120; tries++)); do
        if running; then return 0; fi
        # Told apart from a slow start: it has ended, or never began.
        as_root kill -0 "$engine" 2>/dev/null || break
        sleep 0.5
    done
    say "dockerd.sh: the engine does not answer; the last lines of $log:"
    tail -n 30 "$log" >&2
    stop
    exit 1
}

stop() {
    local pid tries
    pid=$(cat "$run/dockerd.pid" 2>/dev/null) || return 0
    as_root kill "$pid" 2>/dev/null || return 0
    for ((tries = 0; tries < 120; tries++)); do
        as_root kill -0 "$pid" 2>/dev/null || break
        sleep 0.5
    done
    as_root "$BUSYBOX" ip link del "$bridge" 2>/dev/null || true # never came up
    as_root rm -rf "$run"
}

case ${1:-} in
start) start ;;
stop) stop ;;
env) print_env ;;
run)
    already=0
    if running; then already=1; fi
    start
    exec 8>&- # the lock is for starting: the command may call this script as well
    if [[ $already == 0 ]]; then trap stop EXIT; fi
    eval "$(print_env)"
    "${@:2}"
    ;;
*)
    say "usage: dockerd.sh start|stop|env|run CMD..."
    exit 2
    ;;
esac
