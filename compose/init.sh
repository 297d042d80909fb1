#!/bin/sh
# Makes the bundle's secrets in the volume `secrets`, each once: what is there is kept, so that a new start, or an
# upgrade, changes no password. `init show` prints them for the person who runs the machine.
set -eu

dir=/secrets
password=$dir/grafana-admin-password
grafana_uid=472

make() {
    if [ -s "$password" ]; then
        echo "init: the secrets are there already; nothing to do."
        return
    fi
    # 24 random bytes are 32 letters, in an alphabet that needs no quoting anywhere.
    umask 077
    head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' >"$dir/new"
    [ "$(wc -c <"$dir/new")" -eq 32 ] || {
        echo "init: /dev/urandom gave too little; no password was made." >&2
        exit 1
    }
    # Group 0 may read: that is `init show`, root without any capability.
    chmod 0440 "$dir/new"
    chown "$grafana_uid:0" "$dir/new"
    # The name appears only when the content is whole.
    mv "$dir/new" "$password"
    echo "init: made Grafana's password. See it: docker compose -f observability.yml run --rm init show"
}

show() {
    [ -s "$password" ] || {
        echo "init: there is no password yet. First: docker compose -f observability.yml up -d" >&2
        exit 1
    }
    echo "Grafana: user admin, password $(cat "$password")"
}

case "${1:-make}" in
    make) make ;;
    show) show ;;
    *)
        echo "init: unknown word '$1'; it is make or show." >&2
        exit 2
        ;;
esac
