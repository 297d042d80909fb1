#!/usr/bin/env bash
# The bundle's checks that are not Rust: what each program itself says of the files that it is given, the chart, LogQL,
# and at last all of it brought up by Docker (compose.sh). `make test` calls it after the Rust tests.
#
#   bundle.sh         everything
#   bundle.sh static  without Docker: some seconds
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
# shellcheck source=/dev/null
. "${TAFFRAIL_CACHE:-.cache}/env.sh"

passed=0
failed=0
broken=
trap 'rm -f "$broken"' EXIT

check() { # WHAT COMMAND...
    local output
    if output=$("${@:2}" 2>&1); then
        passed=$((passed + 1))
        echo "ok      $1"
    else
        failed=$((failed + 1))
        echo "FAILED  $1"
        printf '%s\n' "$output" | sed 's/^/        | /'
    fi
}

# Passes when the command refuses the file with one thing changed: a check that takes anything proves nothing.
refused() { # WHAT FILE SED COMMAND... {}
    local argument command=()
    # Beside the original, since files name others by relative path.
    broken=$(mktemp "$(dirname "$2")/.broken.XXXXXX.yml")
    sed "$3" "$2" >"$broken"
    for argument in "${@:4}"; do command+=("${argument/#\{\}/$broken}"); done
    if cmp -s "$2" "$broken"; then
        check "$1: '$3' changes nothing" false
    elif "${command[@]}" >/dev/null 2>&1; then
        check "$1: not refused after '$3'" false
    else
        check "$1" true
    fi
    rm -f "$broken"
}

compose() { "$DOCKER_COMPOSE" -f "$1" config --quiet; }
compose_schema() { "$CHECK_JSONSCHEMA" --builtin-schema vendor.compose-spec "$1"; }
prometheus() { "$PROMTOOL" check config --syntax-only "$1"; }
alertmanager() { "$AMTOOL" check-config "$1"; }
# The route by which an alert goes, as its receiver's name.
route() { [[ $("$AMTOOL" config routes test --config.file=compose/alertmanager.yml "${@:2}") == "$1" ]]; }
rules() { "$PROMTOOL" check rules --lint=all --lint-fatal "$@"; }
cases() { "$PROMTOOL" test rules "$@"; }

static() {
    check "Compose takes observability.yml" compose observability.yml
    refused "Compose refuses an unknown key" observability.yml 's/^    mem_limit:/    mem_limits:/' compose '{}'
    check "observability.yml fits Compose's schema" compose_schema observability.yml
    check "Prometheus takes its config" prometheus compose/prometheus.yml
    refused "Prometheus refuses a broken config" compose/prometheus.yml 's/scrape_interval/scrap_interval/' prometheus '{}'
    check "Alertmanager takes its config" alertmanager compose/alertmanager.yml
    refused "Alertmanager refuses a route to nowhere" compose/alertmanager.yml 's/name: nobody/name: somebody/' alertmanager '{}'
    check "alerts are routed" route nobody severity=critical alertname=HostDown
    check "the rules are sound" rules alerts/*.yml
    refused "a rule that does not parse is refused" alerts/host.yml 's/> 0.5/>> 0.5/' rules '{}'
    check "alerts fire and stay quiet as their cases say" cases alerts/tests/*.test.yml
    refused "a case that expects another thing fails" alerts/tests/host.test.yml 's/value: 0.5}/value: 0.6}/' cases '{}'
    check "the chart" "$PYTHON" collector/tests/chart.py
    check "LogQL in dashboards" env "NODE_MODULES=$NODE_MODULES" node collector/tests/logql.mjs dashboards/*.json
}

# The rule as people write it who think that a dead pusher sets up to 0: the cases must see the difference.
naive_host_down() {
    local folder status=0
    folder=$(mktemp -d)
    cp -r alerts "$folder/"
    "$PYTHON" - "$folder/alerts/host.yml" <<'PYTHON'
import re, sys
path = sys.argv[1]
text = open(path).read()
naive, count = re.subn(r'expr: \|\n          \(\n.*?or absent_over_time[^\n]*\n', 'expr: up{job="node"} == 0\n', text, flags=re.S)
assert count == 1, "HostDown no longer looks as this test thinks"
open(path, "w").write(naive)
PYTHON
    cases "$folder/alerts/tests/host.test.yml" >/dev/null 2>&1 || status=1
    rm -rf "$folder"
    ((status == 1))
}

# Not through check: what it says while it waits is worth seeing.
long() { # WHAT COMMAND
    echo "        $1 (about a minute):"
    if "$2"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  $1"
    fi
}

in_docker() {
    long "the bundle in Docker" "$here/compose.sh"
    long "inside a container as outside" "$here/container.sh"
    long "containers as their engine sees them" "$here/containers.sh"
    long "targets of an engine as Prometheus finds them" "$here/docker_sd.sh"
}

main() {
    local status=0
    if [[ ${1:-} == in-docker ]]; then
        in_docker
    else
        static
        check "the cases see a HostDown that only asks for up == 0" naive_host_down
    fi
    if [[ -z ${1:-} ]]; then
        # Docker is started once for both. That prints a count of its own, and run.sh adds them up.
        "$here/dockerd.sh" run "$here/bundle.sh" in-docker || status=1
    fi
    printf '%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0 && status == 0))
}

main "$@"
