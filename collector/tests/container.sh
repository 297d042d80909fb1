#!/usr/bin/env bash
# The collector inside a container beside the same program outside: with the mounts and flags of observability.yml both
# must say the same of this host; without them, the one inside must say what is missing, and nothing that is not the
# host's.
#
#   container.sh     builds the collector (debug) when it is not there, then tests it
#   TAFFRAIL_BIN=target/release/taffrail collector/tests/container.sh
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

for tool in BUSYBOX DOCKER DOCKER_COMPOSE PYTHON; do
    [[ -n ${!tool:-} ]] || die "$tool is not there; run collector/tests/setup.sh and see what it says"
done

if [[ ${1:-} != inside ]]; then
    if [[ ! -x $taffrail ]]; then
        (cd "$root" && cargo build --package taffrail-collector --bin taffrail)
    fi
    exec "$here/dockerd.sh" run "$here/container.sh" inside
fi

work=$(mktemp -d)
name=taffrail-container-$$
tag=taffrail-container-test:$$
outside=
outside_url=
failed=0

# shellcheck disable=SC2317,SC2329 # called by the trap
finish() {
    local status=$?
    if [[ -e $work/bundle ]]; then compose down --volumes --timeout 5 >/dev/null 2>&1 || true; fi
    "$DOCKER" rm --force "$name" >/dev/null 2>&1 || true
    if [[ -n $outside ]]; then kill "$outside" 2>/dev/null || true; fi
    "$DOCKER" rmi --force "$tag" >/dev/null 2>&1 || true
    rm -rf "$work"
    exit "$status"
}

compose() { "$DOCKER_COMPOSE" --project-name "$name" --file "$work/bundle/observability.yml" "$@"; }

ports() { # COUNT
    "$PYTHON" - "$1" <<'PYTHON'
import socket, sys

sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(sock.getsockname()[1] for sock in sockets))
PYTHON
}

# Waits for a page on which all subjects have run: uname is one of the last, and has what it needs anywhere.
wait_page() { # PORT
    local end=$((SECONDS + 30))
    until curl -sf --max-time 5 -o "$work/page" "http://127.0.0.1:$1/metrics/host" && grep -q '^node_uname_info' "$work/page"; do
        ((SECONDS < end)) || return 1
        sleep 0.2
    done
}

# --- the same inside and outside ---------------------------------------------------------------

# The bundle's own service and its own `host:` section; only the interval is another, and nothing is sent anywhere.
start_inside() { # PORT
    mkdir "$work/bundle"
    cp -r "$root/observability.yml" "$root/compose" "$work/bundle/"
    sed -i '/^logs:/,$d; s/^interval: 15s/interval: 1s/' "$work/bundle/compose/taffrail.yml"
    grep -q '^interval: 1s' "$work/bundle/compose/taffrail.yml" || die "compose/taffrail.yml has no interval any more"
    sed -i "s#image: taffrail:local#image: $tag#" "$work/bundle/observability.yml"
    export TAFFRAIL_PORT=$1 TAFFRAIL_DOCKER_SOCKET=${DOCKER_HOST#unix://}
    compose up --detach --no-deps --no-build --pull never taffrail >"$work/up" 2>&1 || {
        cat "$work/up" >&2
        die "docker compose up failed"
    }
}

start_outside() { # PORT
    printf 'interval: 1s\nhost: {}\n' >"$work/outside.yml"
    mkdir "$work/data"
    "$taffrail" run --config "$work/outside.yml" --set "listen=127.0.0.1:$1" --set "data_dir=$work/data" \
        >"$work/outside.log" 2>&1 &
    outside=$!
}

same() {
    local inside_port outside_port
    read -r inside_port outside_port <<<"$(ports 2)"
    outside_url=http://127.0.0.1:$outside_port
    start_inside "$inside_port"
    start_outside "$outside_port"
    wait_page "$inside_port" || die "no page inside: $(compose logs taffrail 2>&1)"
    wait_page "$outside_port" || die "no page outside: $(cat "$work/outside.log")"
    if "$PYTHON" "$here/container.py" "$outside_url" "http://127.0.0.1:$inside_port"; then
        say "  ok: inside and outside say the same of this host"
    else
        failed=1
        compose logs taffrail >&2 || true
    fi
    # Of the host: a disk of this machine's that is full is not the bundle's fault.
    if compose logs taffrail 2>&1 | grep -E '(WARN|ERROR).*(host\.|exporter="host")' >&2; then
        failed=1
        say "FAILED: the bundle's settings should leave nothing of the host to complain about"
    fi
    compose down --volumes --timeout 5 >/dev/null 2>&1
}

# --- what is missing is said -------------------------------------------------------------------

# Runs the image with docker's flags and a `host:` section. It has to say all that is wanted, and its page must have no
# line that begins with what is forbidden.
missing() { # WHAT HOST-SECTION FORBIDDEN-REGEX WANTED-TEXTS(with | between) DOCKER-FLAG...
    local port log text texts
    read -r port <<<"$(ports 1)"
    printf 'listen: {address: "0.0.0.0:9753", insecure: true}\nhostname: ship\ninterval: 1s\nhost: %s\n' "$2" >"$work/case.yml"
    "$DOCKER" run --detach --name "$name" --user 0:0 --publish "127.0.0.1:$port:9753" \
        --volume "$work/case.yml:/case.yml:ro" "${@:5}" "$tag" run --config /case.yml >/dev/null
    if ! wait_page "$port"; then
        failed=1
        say "FAILED: $1: no page"
    fi
    log=$("$DOCKER" logs "$name" 2>&1)
    IFS='|' read -r -a texts <<<"$4"
    for text in "${texts[@]}"; do
        if [[ $log != *"$text"* ]]; then
            failed=1
            say "FAILED: $1: it does not say '$text'"
        fi
    done
    if grep -E "^($3)" "$work/page" >&2; then
        failed=1
        say "FAILED: $1: the lines above are a container's, not the host's"
    fi
    # The comparison has to see what is missing, or it proves nothing.
    if "$PYTHON" "$here/container.py" "$outside_url" "http://127.0.0.1:$port" 1 >/dev/null 2>&1; then
        failed=1
        say "FAILED: $1: the comparison finds no difference"
    fi
    say "  $1:"
    # What it says at its start; each subject says it once more.
    grep -E 'WARN|ERROR' <<<"$log" | grep -v 'exporter=' | sed 's/^[^ ]* */    /' >&2 || true
    "$DOCKER" rm --force "$name" >/dev/null
}

refused() {
    local said
    if said=$("$DOCKER" run --rm --user 0:0 "$tag" run --set data_dir=/tmp 2>&1); then
        failed=1
        say "FAILED: a container's id was taken for the host's name"
    elif [[ $said != *"is a container's id: mount the host's root directory (-v /:/host:ro,rslave)"* ]]; then
        failed=1
        say "FAILED: the refusal of a container's id does not say what to do: $said"
    else
        say "  ok: a container's id is refused as the host's name, with what to do"
    fi
}

main() {
    trap finish EXIT
    say "building the image"
    mkdir "$work/image"
    taffrail_image "$work/image" "$taffrail" "$tag"
    say "the collector inside a container, beside one outside"
    same
    say "what it says without the mounts"
    refused
    local all='{procfs: /host/proc, sysfs: /host/sys, rootfs: /host, udev: /host/run/udev/data}'
    local mounts=(--volume "/:/host:ro,rslave")
    local of_root='node_filesystem_' of_net='node_network_|node_netstat_|node_sockstat_|node_nf_conntrack_|node_arp_|node_softnet_|node_udp_'
    missing "no mount, no flag" '{}' "$of_root|$of_net" '-v /:/host:ro,rslave|-v /proc:/host/proc:ro|--network host'
    missing "--pid host alone" '{}' "$of_root" '-v /:/host:ro,rslave' --pid host
    missing "mounts, and no setting" '{}' "$of_root|$of_net" 'host.rootfs: /host|host.procfs: /host/proc' "${mounts[@]}"
    missing "settings, and no mount" "$all" "$of_root|$of_net" 'host.procfs: /host/proc|host.rootfs: /host' --pid host
    missing "all but the root directory" "$all" "$of_root" '-v /:/host:ro,rslave' --pid host \
        --volume /proc:/host/proc:ro --volume /sys:/host/sys:ro
    if ((failed)); then die "see above"; fi
    say "inside is as outside"
}

main
