#!/usr/bin/env bash
# Container metrics beside a real engine: containers burn CPU, hit their limit, are killed, restart, talk and write; then
# what they say, through the engine's records.
#
#   containers.sh     builds the collector (debug) when it is not there, then tests it
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${TAFFRAIL_CACHE:-$root/.cache}
# shellcheck source=/dev/null
. "$cache/env.sh"
taffrail=${TAFFRAIL_BIN:-$root/target/debug/taffrail}
double=${taffrail%/*}/loki-double

# shellcheck source=/dev/null
. "$here/images.sh"

for tool in BUSYBOX DOCKER PYTHON; do
    [[ -n ${!tool:-} ]] || die "$tool is not there; run collector/tests/setup.sh and see what it says"
done

if [[ ${1:-} != inside ]]; then
    if [[ ! -x $taffrail ]]; then
        (cd "$root" && cargo build --package taffrail-collector --bin taffrail)
    fi
    if [[ ! -x $double ]]; then
        (cd "$root" && cargo build --package taffrail-tests --bin loki-double)
    fi
    exec "$here/dockerd.sh" run "$here/containers.sh" inside
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/image"
shell "$work"
for word in sync dd tail; do ln -s busybox "$work/image/bin/$word"; done
image "$work" taffrail-shell-test:1 </dev/null
"$PYTHON" "$here/containers.py" "$taffrail" "$DOCKER" taffrail-shell-test:1
"$PYTHON" "$here/records.py" "$taffrail" "$DOCKER" taffrail-shell-test:1
"$PYTHON" "$here/container_logs.py" "$taffrail" "$double" "$DOCKER" taffrail-shell-test:1 "$here/dockerd.sh" "${TAFFRAIL_SHORT_LIVED:-20}"
