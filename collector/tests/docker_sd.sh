#!/usr/bin/env bash
# docker_sd_configs beside Prometheus' own, on a real engine: the same targets, with the same labels before and after.
#
#   docker_sd.sh     builds the collector (debug) when it is not there, then tests it
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${TAFFRAIL_CACHE:-$root/.cache}
# shellcheck source=/dev/null
. "$cache/env.sh"
taffrail=${TAFFRAIL_BIN:-$root/target/debug/taffrail}

# shellcheck source=/dev/null
. "$here/images.sh"

for tool in BUSYBOX DOCKER PROMETHEUS PYTHON; do
    [[ -n ${!tool:-} ]] || die "$tool is not there; run collector/tests/setup.sh and see what it says"
done

if [[ ${1:-} != inside ]]; then
    if [[ ! -x $taffrail ]]; then
        (cd "$root" && cargo build --package taffrail-collector --bin taffrail)
    fi
    exec "$here/dockerd.sh" run "$here/docker_sd.sh" inside
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/image"
shell "$work"
image "$work" taffrail-plain-test:1 </dev/null
image "$work" taffrail-exposed-test:1 <<<$'EXPOSE 9100 9200 53/udp\nLABEL org.example.team=shop'
"$PYTHON" "$here/docker_sd.py" "$taffrail" "$PROMETHEUS" "$DOCKER" taffrail-plain-test:1 taffrail-exposed-test:1
