#!/usr/bin/env bash
# All tests, one step after the other; `make test` and CI call this. A step that fails stops no other.
# The end tells each step's time and result, everything that was skipped, and "N passed, N failed".
#
#   run.sh          everything
#   run.sh lint     formatting and linters only
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
cache=${TAFFRAIL_CACHE:-$root/.cache}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

passed=0
failed=0
steps=()
skipped=()

# Runs one step, shows its output as it comes, and counts the tests it reports; a step that reports
# none counts as one test.
step() { # NAME COMMAND...
    local name=$1 log=$logs/$1 start=$SECONDS status=0 good bad
    printf '\n=== %s\n' "$name"
    "${@:2}" </dev/null 2>&1 | tee "$log" || status=$?
    good=$(count "$log" passed)
    bad=$(count "$log" failed)
    # A step that fails without a failed test (it did not compile, it crashed) has still failed.
    if ((status != 0 && bad == 0)); then bad=1; fi
    if ((status == 0 && good + bad == 0)); then good=1; fi
    if ((status == 0 && bad > 0)); then status=1; fi
    passed=$((passed + good))
    failed=$((failed + bad))
    steps+=("$(printf '%-22s %5d s  %s' "$name" $((SECONDS - start)) "$(verdict "$status")")")
    while IFS= read -r line; do
        skipped+=("$name: $line")
    done < <(grep -E '^ *SKIPPED|[1-9][0-9]* (ignored|skipped)' "$log" || true)
}

verdict() { if (($1 == 0)); then echo ok; else echo FAILED; fi; }

# Sums the results of cargo test ("3 passed; 1 failed; …"), nextest's Summary and "3 passed, 1 failed".
count() { # LOG passed|failed
    sed 's/\x1b\[[0-9;]*m//g' "$1" |
        awk -v what="$2" '
            /^ *test result:|^ *Summary \[|^[0-9]+ passed, [0-9]+ failed$/ {
                for (i = 2; i <= NF; i++) if ($i ~ "^" what "[,;]?$") sum += $(i - 1)
            }
            END { print sum + 0 }'
}

# The same command for every file of a list; no files, no step.
each_of() { # NAME LIST COMMAND...
    local files
    mapfile -t files <<<"$2"
    if [[ -n $2 ]]; then step "$1" "${@:3}" "${files[@]}"; fi
}

# Files under version control that are there; new ones that are not ignored too.
files() { # PATTERN...
    git ls-files --cached --others --exclude-standard -- "$@" | sort -u | while read -r file; do
        if [[ -e $file ]]; then echo "$file"; fi
    done
}

scripts() {
    files '*.sh'
    files '.ci/*' 'collector/*' 'compose/*' 'helm/*' | while read -r file; do
        if [[ $file != *.sh && $(head -c 64 "$file" | head -n 1 | tr -d '\0') =~ ^#!.*(ba)?sh ]]; then echo "$file"; fi
    done
}

# A tool that setup.sh could not provide fails its step by name.
tool() { # VARIABLE ARGUMENT...
    if [[ -z ${!1:-} ]]; then
        echo "$1 is missing; collector/tests/setup.sh says why"
        return 1
    fi
    "${!1}" "${@:2}"
}

rust_tests() {
    local status=0
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --locked --workspace --no-fail-fast --status-level fail --final-status-level slow || status=1
        cargo test --locked --workspace --doc --quiet || status=1
    else
        cargo test --locked --workspace --no-fail-fast || status=1
    fi
    return $status
}

lint() {
    step format cargo fmt --all --check
    step clippy cargo clippy --locked --workspace --all-targets -- -D warnings
    each_of shellcheck "$(scripts)" tool SHELLCHECK --
    each_of yamllint "$(files '*.yml' '*.yaml' | grep -v -e /templates/ -e /fixtures/ -e /bad/)" tool YAMLLINT --strict --
    each_of hadolint "$(files '*Dockerfile')" tool HADOLINT --failure-threshold warning
}

rust() {
    # Programs and tests in one go: with the same features, so that nothing is compiled twice.
    step build cargo build --locked --workspace --bins --tests
    export TAFFRAIL_BIN=${CARGO_TARGET_DIR:-$root/target}/debug/taffrail
    step tests rust_tests
}

rules() {
    each_of alert-rules "$(files 'alerts/*.yml' | grep -v /tests/)" tool PROMTOOL check rules
    each_of alert-cases "$(files 'alerts/tests/*.test.yml')" tool PROMTOOL test rules
    each_of compose-schema "$(files observability.yml 'compose/*.compose.yml')" \
        tool CHECK_JSONSCHEMA --builtin-schema vendor.compose-spec
    each_of workflow-schema "$(files '.github/workflows/*.yml')" \
        tool CHECK_JSONSCHEMA --builtin-schema vendor.github-workflows
}

summary() {
    printf '\n=== summary\n'
    printf '%s\n' "${steps[@]}"
    if [[ -e $cache/missing ]]; then
        sed 's/^/SKIPPED or failed for want of: /' "$cache/missing"
    fi
    if ((${#skipped[@]} > 0)); then printf 'SKIPPED %s\n' "${skipped[@]}"; fi
    printf 'took %d s\n%d passed, %d failed\n' "$SECONDS" "$passed" "$failed"
    ((failed == 0))
}

main() {
    step setup collector/tests/setup.sh
    if [[ -e $cache/env.sh ]]; then
        # shellcheck source=/dev/null
        . "$cache/env.sh"
    fi
    lint
    if [[ ${1:-} != lint ]]; then
        rust
        rules
        if [[ -x collector/tests/bundle.sh ]]; then step bundle collector/tests/bundle.sh; fi
    fi
    summary
}

main "$@"
