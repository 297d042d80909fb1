#!/usr/bin/env bash
# Puts the real programs that the tests need into .cache/ (or $TAFFRAIL_CACHE) and writes
# .cache/env.sh, one variable a tool. Needs Debian with apt, Python 3 and Node; leaves the system
# as it is. Safe to run at any time and twice at once; does nothing when all is there.
#
# Each tool is a "step": a function that writes NAME=VALUE lines to stdout and leaves a mark, so that
# a run repeats only what is missing. A step that fails stops no other: it is named at the end and in
# .cache/missing, and its variables stay unset, so a test that needs them fails and says so.
#
#   setup.sh            set up what is missing; exit 0 when all is there, 3 when something is not
#   setup.sh --refresh  the same, from nothing: takes newer packages
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${TAFFRAIL_CACHE:-$root/.cache}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
arch=$(dpkg --print-architecture)

# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")

# Newest first. Which of them exist is found out by asking the mirror; "system" is what this machine runs.
newest=(sid testing stable system)
older=(system oldstable oldoldstable)

say() { printf '%s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# --- apt, with lists and archives of its own ---------------------------------------------------

# "SITE SUITE" of every Debian source this machine's own apt has; asked so that it works before the
# first `apt-get update` too.
system_sources() {
    apt-get update --print-uris |
        sed -n "s|^'\(.*\)/dists/\(.*\)/InRelease' .*|\1 \2|p" |
        awk -v code="$codename" 'index($2, code) == 1 || index($2, "stable") == 1'
}

# The mirror this machine uses, so that no host is named here.
mirror() {
    system_sources | awk -v code="$codename" '$2 == code || $2 == "stable" { print $1; exit }'
}

source_lines() { # SUITE
    local key='' file site release
    for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
        if [[ -e $file ]]; then key="[signed-by=$file] "; fi
    done
    if [[ $1 != system ]]; then
        echo "deb $key$(mirror) $1 main"
        return
    fi
    system_sources | while read -r site release; do
        echo "deb $key$site $release main"
    done
}

# Runs an apt command that sees one suite only.
apt_in() { # SUITE COMMAND...
    APT_CONFIG=$cache/apt/$1/apt.conf "${@:2}"
}

# Fetches a suite's lists, at most once a day and a suite; fails when the mirror has no such suite.
suite_ready() { # SUITE
    local dir=$cache/apt/$1
    if [[ -e $dir/none.$PPID_OF_RUN ]]; then return 1; fi
    if [[ -n $(find "$dir/ready" -mmin -1440 2>/dev/null) ]]; then return 0; fi
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    source_lines "$1" >"$dir/sources.list"
    cat >"$dir/apt.conf" <<CONF
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$dir/lists";
Dir::Cache "$dir/cache";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::Check-Valid-Until "false"; // a mirror that was frozen at some date will do
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
APT::Sandbox::User "root";
Binary::apt-get::Dpkg::Use-Pty "false";
CONF
    if ! apt_in "$1" apt-get -qq update >&2; then
        touch "$dir/none.$PPID_OF_RUN"
        return 1
    fi
    touch "$dir/ready"
}

# The newest version of a package in a suite that matches a pattern, or nothing.
version_in() { # SUITE PACKAGE PATTERN
    apt_in "$1" apt-cache madison "$2" | awk -F'|' '{ gsub(/ /, "", $2); print $2 }' | { grep -E "$3" || true; } | head -n 1
}

# Downloads packages ("name" or "name=version") of a suite and unpacks them into a folder.
unpack() { # SUITE FOLDER PACKAGE...
    local debs
    debs=$(mktemp -d "$cache/debs.XXXXXX")
    (cd "$debs" && apt_in "$1" apt-get -qq download "${@:3}") >&2
    mkdir -p "$2"
    local deb
    for deb in "$debs"/*.deb; do dpkg -x "$deb" "$2"; done
    rm -rf "$debs"
}

# The first of the suites whose package matches the pattern and whose program runs here: a package of
# a newer suite may want a newer libc than this machine has. Prints nothing; leaves FOLDER.
first_that_runs() { # FOLDER PACKAGE PATTERN PROGRAM SUITE...
    local folder=$1 package=$2 pattern=$3 program=$4 suite version
    if [[ -x $folder/$program ]]; then return 0; fi
    for suite in "${@:5}"; do
        suite_ready "$suite" || continue
        version=$(version_in "$suite" "$package" "$pattern")
        if [[ -z $version ]]; then continue; fi
        rm -rf "$folder.new"
        unpack "$suite" "$folder.new" "$package=$version"
        if "$folder.new/$program" --version >&2; then
            say "$package $version from $suite"
            rm -rf "$folder"
            mv "$folder.new" "$folder"
            return 0
        fi
        say "$package $version from $suite does not run on this machine, trying an older suite"
        rm -rf "$folder.new"
    done
    say "no suite has a $package matching '$pattern' that runs on this machine"
    return 1
}

# Packages with all they depend on and this machine lacks, from this machine's own suite.
unpack_closure() { # FOLDER PACKAGE...
    local wanted
    suite_ready system
    wanted=$(apt_in system apt-get -qq -s --no-install-recommends install "${@:2}" |
        sed -n 's/^Inst \([^ ]*\) .*(\([^ ]*\) .*/\1=\2/p')
    if [[ -z $wanted ]]; then return 0; fi
    # shellcheck disable=SC2086 # one word a package
    unpack system "$1" $wanted
}

# --- the steps ---------------------------------------------------------------------------------

step_prometheus() {
    first_that_runs "$cache/prometheus" prometheus '^3\.' usr/bin/prometheus "${newest[@]}"
    echo "PROMETHEUS=$cache/prometheus/usr/bin/prometheus"
    # Newer packages carry promtool apart, older ones inside.
    if [[ ! -x $cache/prometheus/usr/bin/promtool ]]; then
        first_that_runs "$cache/promtool" promtool '^3\.' usr/bin/promtool "${newest[@]}"
        ln -sf "$cache/promtool/usr/bin/promtool" "$cache/prometheus/usr/bin/promtool"
    fi
    echo "PROMTOOL=$cache/prometheus/usr/bin/promtool"
}

step_prometheus2() {
    first_that_runs "$cache/prometheus2" prometheus '^2\.' usr/bin/prometheus "${older[@]}"
    echo "PROMETHEUS2=$cache/prometheus2/usr/bin/prometheus"
}

step_alertmanager() {
    first_that_runs "$cache/alertmanager" prometheus-alertmanager . usr/bin/prometheus-alertmanager "${newest[@]}"
    local tree=$cache/alertmanager
    # Debian's Alertmanager reads its templates from /usr/share, wherever it was unpacked: so it is
    # started in a mount namespace where that folder has them, and the system is left as it is.
    cat >"$tree/run.new" <<SCRIPT
#!/bin/sh
program=$tree/usr/bin/prometheus-alertmanager
[ -e /usr/share/prometheus/alertmanager/default.tmpl ] && exec "\$program" "\$@"
user=; [ "\$(id -u)" = 0 ] || user=-Ur
exec unshare \$user -m sh -c 'mount -t overlay tests -o "lowerdir=\$1:/usr/share" /usr/share && shift && exec "\$@"' \
    sh "$tree/usr/share" "\$program" "\$@"
SCRIPT
    chmod +x "$tree/run.new"
    if ! "$tree/run.new" --version >&2; then
        say "no mount namespaces here: the templates go into /usr/share, which needs root"
        mkdir -p /usr/share/prometheus
        cp -r "$tree/usr/share/prometheus/alertmanager" /usr/share/prometheus/
        "$tree/run.new" --version >&2
    fi
    mv "$tree/run.new" "$tree/run"
    echo "ALERTMANAGER=$tree/run"
    echo "AMTOOL=$cache/alertmanager/usr/bin/amtool"
}

step_node_exporter() {
    first_that_runs "$cache/node_exporter" prometheus-node-exporter '^1\.(1[1-9]|[2-9][0-9])\.' usr/bin/prometheus-node-exporter "${newest[@]}"
    echo "NODE_EXPORTER=$cache/node_exporter/usr/bin/prometheus-node-exporter"
}

step_vmagent() {
    # Of Debian's package it is one program of several.
    first_that_runs "$cache/vmagent" victoria-metrics '^1\.(1[2-9][0-9]|[2-9][0-9][0-9])\.' usr/bin/vmagent "${newest[@]}"
    echo "VMAGENT=$cache/vmagent/usr/bin/vmagent"
}

step_blackbox_exporter() {
    first_that_runs "$cache/blackbox_exporter" prometheus-blackbox-exporter '^0\.(2[7-9]|[3-9][0-9])\.' usr/bin/prometheus-blackbox-exporter "${newest[@]}"
    echo "BLACKBOX_EXPORTER=$cache/blackbox_exporter/usr/bin/prometheus-blackbox-exporter"
}

# This machine's PostgreSQL where there is one; else one in the cache, with scripts that find its libraries.
step_postgres() {
    local own tree=$cache/postgres libs name real
    own=$(find /usr/lib/postgresql -path '*/bin/postgres' 2>/dev/null | sort -V | tail -n 1)
    if [[ -n $own ]]; then
        echo "POSTGRES=$own"
        return 0
    fi
    if [[ ! -x $tree/run/postgres ]]; then
        rm -rf "$tree"
        unpack_closure "$tree" postgresql
        libs=$(find "$tree" -name 'lib*.so.*' -printf '%h\n' | sort -u | paste -sd:)
        mkdir -p "$tree/run"
        for name in initdb postgres; do
            real=$(find "$tree/usr/lib/postgresql" -path "*/bin/$name" | sort -V | tail -n 1)
            printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "$libs" "$real" >"$tree/run/$name"
            chmod +x "$tree/run/$name"
        done
        "$tree/run/postgres" --version >&2
    fi
    echo "POSTGRES=$tree/run/postgres"
}

# A program of this machine's suite with a script that finds its libraries.
wrapped() { # FOLDER PACKAGE PROGRAM [VERSION-OPTION]
    local tree=$1 libs
    if [[ -x $tree/run ]]; then return 0; fi
    rm -rf "$tree"
    unpack_closure "$tree" "$2"
    # Where this machine has it, its own is left alone.
    if [[ ! -x $tree/$3 ]]; then unpack system "$tree" "$2"; fi
    libs=$(find "$tree" -name 'lib*.so.*' -printf '%h\n' | sort -u | paste -sd:)
    printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "$libs" "$tree/$3" >"$tree/run.new"
    chmod +x "$tree/run.new"
    "$tree/run.new" "${4:---version}" >&2
    mv "$tree/run.new" "$tree/run"
}

# The newest PostgreSQL that there is, with the libraries of its own suite, the C library among them: its programs are
# started by scripts in their places, since they look for each other beside themselves.
step_postgres_newest() {
    local tree=$cache/postgres_newest bin loader libs name suite package wanted
    for suite in "${newest[@]}"; do
        if [[ -e $tree/ready ]]; then break; fi
        suite_ready "$suite" || continue
        package=$(apt_in "$suite" apt-cache depends postgresql | sed -n 's/^ *Depends: \(postgresql-[0-9]*\)$/\1/p' | head -n 1)
        if [[ -z $package ]]; then continue; fi
        wanted=$(apt_in "$suite" apt-get -qq -s -o Dir::State::status=/dev/null --no-install-recommends install "$package" |
            sed -n 's/^Inst \([^ ]*\) .*/\1/p' | grep -E "^($package|lib.*|zlib.*)$")
        rm -rf "$tree"
        # shellcheck disable=SC2086 # one word a package
        unpack "$suite" "$tree" $wanted
        touch "$tree/ready"
    done
    bin=$(dirname "$(find "$tree/usr/lib/postgresql" -path '*/bin/initdb' | head -n 1)")
    loader=$(find "$tree" -name 'ld-linux*.so*' | head -n 1)
    libs=$(find "$tree" -name 'lib*.so*' -not -path '*/postgresql/*' -printf '%h\n' | sort -u | paste -sd:)
    for name in initdb postgres; do
        if [[ ! -e $bin/$name.real ]]; then mv "$bin/$name" "$bin/$name.real"; fi
        printf '#!/bin/sh\nexec "%s" --library-path "%s" --argv0 "%s" "%s" "$@"\n' \
            "$loader" "$libs" "$bin/$name" "$bin/$name.real" >"$bin/$name"
        chmod +x "$bin/$name"
    done
    "$bin/postgres" --version >&2
    echo "POSTGRES_NEWEST=$bin/postgres"
}

step_postgres_exporter() {
    first_that_runs "$cache/postgres_exporter" prometheus-postgres-exporter '^0\.(19|[2-9][0-9])\.' usr/bin/prometheus-postgres-exporter "${newest[@]}"
    echo "POSTGRES_EXPORTER=$cache/postgres_exporter/usr/bin/prometheus-postgres-exporter"
}

# A real name server.
step_dnsmasq() {
    wrapped "$cache/dnsmasq" dnsmasq-base usr/sbin/dnsmasq
    echo "DNSMASQ=$cache/dnsmasq/run"
}

step_redis() {
    wrapped "$cache/redis" redis-server usr/bin/redis-server
    echo "REDIS=$cache/redis/run"
}

step_pgbouncer() {
    wrapped "$cache/pgbouncer" pgbouncer usr/sbin/pgbouncer
    echo "PGBOUNCER=$cache/pgbouncer/run"
}

step_logrotate() {
    wrapped "$cache/logrotate" logrotate usr/sbin/logrotate
    echo "LOGROTATE=$cache/logrotate/run"
}

# Web servers whose access logs are read; Apache's modules stand beside its script, in usr/lib/apache2/modules.
step_nginx() {
    wrapped "$cache/nginx" nginx usr/sbin/nginx -v
    echo "NGINX=$cache/nginx/run"
}

step_apache() {
    wrapped "$cache/apache" apache2-bin usr/sbin/apache2 -v
    echo "APACHE=$cache/apache/run"
}

# rsyslog, which sends syslog as most machines do; the script finds its libraries and modules.
step_rsyslog() {
    local tree=$cache/rsyslog libs modules
    if [[ ! -x $tree/run ]]; then
        rm -rf "$tree"
        unpack_closure "$tree" rsyslog
        # Where this machine has it, its own is left alone.
        if [[ ! -x $tree/usr/sbin/rsyslogd ]]; then unpack system "$tree" rsyslog; fi
        libs=$(find "$tree" -name 'lib*.so.*' -printf '%h\n' | sort -u | paste -sd:)
        modules=$(find "$tree" -name imfile.so -printf '%h\n' | head -n 1)
        printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" -M "%s" "$@"\n' "$libs" "$tree/usr/sbin/rsyslogd" "$modules" >"$tree/run.new"
        chmod +x "$tree/run.new"
        "$tree/run.new" -v >&2
        mv "$tree/run.new" "$tree/run"
    fi
    echo "RSYSLOG=$tree/run"
}

# A systemd and a bus that are nobody's: run.sh FOLDER starts both, without touching this machine's own. systemd wants
# to see that a systemd started the machine, and looks for its parts where it was built for: so it gets namespaces of its
# own, in which it is so. All of it ends with the script.
step_systemd() {
    local tree=$cache/systemd usr=''
    mkdir -p "$tree"
    if [[ ! -x /usr/lib/systemd/systemd && ! -x /lib/systemd/systemd ]] || ! command -v dbus-daemon >/dev/null; then
        if [[ ! -x $tree/usr/bin/dbus-daemon ]]; then unpack_closure "$tree" systemd dbus-daemon dbus-session-bus-common; fi
        usr=$tree/usr
    fi
    cat >"$tree/run.new" <<SCRIPT
#!/bin/sh
# run FOLDER: systemd with the units in FOLDER/.config/systemd/user and its bus at FOLDER/bus.
usr=$usr
exec unshare --mount --pid --fork --kill-child --mount-proc sh -ec '
    if [ -n "\$1" ]; then mount -t overlay tests -o "lowerdir=\$1:/usr" /usr; fi
    mkdir -p /run/systemd
    mount -t tmpfs tests /run/systemd
    mkdir /run/systemd/system
    for program in /usr/lib/systemd/systemd /lib/systemd/systemd; do [ ! -x "\$program" ] || break; done
    # Its first process must not be systemd: that would take itself for the whole machine'"'"'s.
    env -i PATH="\$PATH" HOME="\$2" XDG_RUNTIME_DIR="\$2" SYSTEMD_UNIT_PATH="\$2/.config/systemd/user" \\
        "\$program" --user --log-target=console &
    wait
' sh "\$usr" "\$1"
SCRIPT
    chmod +x "$tree/run.new"
    mv "$tree/run.new" "$tree/run"
    echo "SYSTEMD=$tree/run"
}

# A journald that is nobody's: run FOLDER starts it with FOLDER/run as its /run and FOLDER/log as its /var/log, so that its
# socket and its files can be reached from outside. The script becomes journald.
step_journald() {
    local tree=$cache/journald usr='' libs=''
    mkdir -p "$tree"
    if [[ ! -x /usr/lib/systemd/systemd-journald && ! -x /lib/systemd/systemd-journald ]]; then
        if [[ ! -x $tree/usr/bin/journalctl ]]; then unpack_closure "$tree" systemd; fi
        usr=$tree/usr
        if [[ -d $tree/lib ]]; then cp -a "$tree/lib/." "$usr/lib/"; fi
        libs=$(find "$tree" -name 'lib*.so*' -printf '%h\n' | sort -u | paste -sd:)
    fi
    cat >"$tree/run.new" <<SCRIPT
#!/bin/sh
usr=$usr
exec unshare --mount sh -ec '
    if [ -n "\$1" ]; then mount -t overlay tests -o "lowerdir=\$1:/usr" /usr; fi
    mkdir -p "\$2/run/systemd/journal" "\$2/log/journal" "\$2/etc"
    if [ ! -s /etc/machine-id ]; then
        echo 3d1219c7c4c5404aaa1f6d2a48adfda4 >"\$2/etc/machine-id"
        mount -t overlay tests -o "lowerdir=\$2/etc:/etc" /etc
    fi
    mount --bind "\$2/run" /run
    mount --bind "\$2/log" /var/log
    # Without this it keeps everything in /run until somebody says that the disks are there.
    touch /run/systemd/journal/flushed
    for program in /usr/lib/systemd/systemd-journald /lib/systemd/systemd-journald; do [ ! -x "\$program" ] || break; done
    exec "\$program"
' sh "\$usr" "\$1"
SCRIPT
    chmod +x "$tree/run.new"
    mv "$tree/run.new" "$tree/run"
    # shellcheck disable=SC2016 # "$@" is for the script
    printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "$libs" "$(command -v journalctl || echo "$tree/usr/bin/journalctl")" >"$tree/journalctl"
    chmod +x "$tree/journalctl"
    "$tree/journalctl" --version >&2
    echo "JOURNALD=$tree/run"
    echo "JOURNALCTL=$tree/journalctl"
}

step_busybox() { # static, so of any suite
    local suite
    for suite in "${newest[@]}"; do
        if [[ -x $cache/busybox/busybox ]]; then break; fi
        suite_ready "$suite" || continue
        unpack "$suite" "$cache/busybox" busybox-static || continue
        ln -sf "$(find "$cache/busybox" -type f -name busybox -path '*bin*')" "$cache/busybox/busybox"
        "$cache/busybox/busybox" true
    done
    echo "BUSYBOX=$cache/busybox/busybox"
}

# The engine as a folder of programs to put first in PATH; dockerd.sh starts it.
step_docker() {
    local bin=$cache/docker/bin part program name
    if [[ ! -e $cache/docker/done ]]; then
        for part in docker.io:usr/sbin/dockerd containerd:usr/bin/containerd runc:usr/sbin/runc docker-cli:usr/bin/docker; do
            name=${part%%:*}
            first_that_runs "$cache/docker/$name" "$name" . "${part#*:}" "${newest[@]}"
        done
        first_that_runs "$cache/docker/tini" tini-static . usr/bin/tini-static "${newest[@]}" ||
            first_that_runs "$cache/docker/tini" tini . usr/bin/tini-static "${newest[@]}"
        unpack_closure "$cache/docker/iptables" iptables
        rm -rf "$bin"
        mkdir -p "$bin"
        for program in "$cache"/docker/{docker.io,containerd,runc,docker-cli}/usr/{bin,sbin}/*; do
            if [[ -x $program ]]; then ln -sf "$program" "$bin/${program##*/}"; fi
        done
        ln -sf "$cache/docker/tini/usr/bin/tini-static" "$bin/docker-init"
        iptables_wrappers "$bin"
        touch "$cache/docker/done"
    fi
    echo "DOCKER=$bin/docker"
    echo "DOCKERD=$bin/dockerd"
}

# iptables looks for its plugins where it was built for, so each name is a script that says where they are.
iptables_wrappers() { # FOLDER
    local tree=$cache/docker/iptables libs name program plugins
    libs=$(find "$tree" -name 'lib*.so.*' -printf '%h\n' 2>/dev/null | sort -u | paste -sd:)
    plugins=$(find "$tree" -type d -name xtables 2>/dev/null | head -n 1)
    for name in iptables ip6tables iptables-save ip6tables-save iptables-restore ip6tables-restore; do
        # The machine's own iptables was left out of the closure: then there is nothing to wrap.
        program=$tree/usr/sbin/${name/tables/tables-nft}
        if [[ ! -e $program ]]; then continue; fi
        cat >"$1/$name" <<SCRIPT
#!/bin/sh
LD_LIBRARY_PATH="$libs" XTABLES_LIBDIR="$plugins" exec "$program" "\$@"
SCRIPT
        chmod +x "$1/$name"
    done
}

step_compose() {
    first_that_runs "$cache/compose" docker-compose '^[2-9]\.' usr/libexec/docker/cli-plugins/docker-compose "${newest[@]}"
    mkdir -p "$cache/docker-config/cli-plugins"
    ln -sf "$cache/compose/usr/libexec/docker/cli-plugins/docker-compose" "$cache/docker-config/cli-plugins/docker-compose"
    echo "DOCKER_COMPOSE=$cache/compose/usr/libexec/docker/cli-plugins/docker-compose"
    echo "DOCKER_CONFIG=$cache/docker-config"
}

# This machine's Chromium where there is one; else one in the cache, with a script that finds its libraries.
step_chromium() {
    local own
    if own=$(command -v chromium); then
        echo "CHROMIUM=$own"
        return 0
    fi
    local tree=$cache/chromium libs
    if [[ ! -x $tree/run ]]; then
        rm -rf "$tree"
        unpack_closure "$tree" chromium fonts-dejavu-core fontconfig-config
        libs=$(find "$tree" \( -name 'lib*.so' -o -name 'lib*.so.*' \) -not -path "$tree/usr/lib/chromium/*" -printf '%h\n' | sort -u | paste -sd:)
        cat >"$tree/fonts.conf" <<CONF
<?xml version="1.0"?>
<fontconfig><dir>$tree/usr/share/fonts</dir><dir>/usr/share/fonts</dir><cachedir>$tree/fonts.cache</cachedir></fontconfig>
CONF
        cat >"$tree/run.new" <<SCRIPT
#!/bin/sh
LD_LIBRARY_PATH="$libs" FONTCONFIG_FILE="$tree/fonts.conf" exec "$tree/usr/lib/chromium/chromium" "\$@"
SCRIPT
        chmod +x "$tree/run.new"
        "$tree/run.new" --version >&2
        mv "$tree/run.new" "$tree/run"
    fi
    echo "CHROMIUM=$tree/run"
}

step_python() {
    local venv=$cache/venv want=$here/requirements.txt wheels
    if ! cmp -s "$want" "$venv/requirements.txt"; then
        # Debian's Python comes without ensurepip; then pip is taken out of its package.
        if ! python3 -m venv --clear "$venv" >&2; then
            python3 -m venv --clear --without-pip "$venv" >&2
            unpack_closure "$cache/pip" python3-pip-whl
            wheels=("$cache"/pip/usr/share/python-wheels/pip-*.whl)
            PYTHONPATH=${wheels[0]} "$venv/bin/python" -m pip install -q --disable-pip-version-check pip >&2
        fi
        "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$want" >&2
        cp "$want" "$venv/requirements.txt"
    fi
    echo "PYTHON=$venv/bin/python"
    echo "SHELLCHECK=$venv/bin/shellcheck"
    echo "YAMLLINT=$venv/bin/yamllint"
    echo "CHECK_JSONSCHEMA=$venv/bin/check-jsonschema"
    echo "KUBERNETES_VALIDATE=$venv/bin/kubernetes-validate"
    echo "HADOLINT=$venv/bin/hadolint"
}

step_node() {
    local dir=$cache/node
    if ! cmp -s "$here/package.json" "$dir/wanted.json"; then
        mkdir -p "$dir"
        cp "$here/package.json" "$dir/package.json"
        (cd "$dir" && npm install --no-audit --no-fund --no-update-notifier --loglevel=error) >&2
        NODE_PATH=$dir/node_modules node -e "require('playwright-core')" >&2 # says when Node is too old
        cp "$here/package.json" "$dir/wanted.json"
    fi
    echo "NODE_MODULES=$dir/node_modules"
}

# What a step brings, said where it cannot be had.
declare -A brings=(
    [prometheus]="Prometheus 3 and promtool"
    [prometheus2]="Prometheus 2"
    [alertmanager]="Alertmanager and amtool"
    [node_exporter]="node_exporter"
    [blackbox_exporter]="blackbox_exporter"
    [vmagent]="vmagent"
    [postgres]="PostgreSQL"
    [postgres_newest]="the newest PostgreSQL"
    [postgres_exporter]="postgres_exporter"
    [dnsmasq]="dnsmasq"
    [redis]="Redis"
    [pgbouncer]="PgBouncer"
    [logrotate]="logrotate"
    [nginx]="nginx"
    [apache]="Apache"
    [rsyslog]="rsyslog"
    [systemd]="systemd and dbus-daemon"
    [journald]="journald and journalctl"
    [busybox]="a static busybox"
    [docker]="Docker Engine"
    [compose]="Docker Compose 2"
    [chromium]="Chromium"
    [python]="the Python tools"
    [node]="the Node tools"
)
apt_lane=(prometheus prometheus2 alertmanager node_exporter blackbox_exporter vmagent postgres postgres_newest postgres_exporter dnsmasq redis pgbouncer logrotate nginx apache rsyslog busybox docker compose chromium python systemd journald)
node_lane=(node)

# --- running them ------------------------------------------------------------------------------

# Everything that decides what should be there.
fingerprint() {
    cat "$here/setup.sh" "$here/requirements.txt" "$here/package.json" | sha256sum
}

# True when the last run had everything and every path it wrote is still there.
complete() {
    local name value
    [[ -e $cache/env.sh && ! -e $cache/missing && -e $cache/stamp ]] || return 1
    [[ $(cat "$cache/stamp") == "$(fingerprint)" ]] || return 1
    while IFS='=' read -r name value; do
        value=${value#"'"}
        [[ $name != "export "* || -e ${value%"'"} ]] || return 1
    done <"$cache/env.sh"
}

# Steps of one lane one after the other (apt's folders are not for two at once), lanes beside each other.
lane() { # STEP...
    local step start
    for step in "$@"; do
        start=$SECONDS
        say "  setting up ${brings[$step]} …"
        # Its own process, not a condition: `set -e` must hold inside.
        (set -e && "step_$step") >"$run/$step.env" 2>"$run/$step.log" &
        if wait $!; then
            touch "$run/$step.ok"
            say "  ${brings[$step]}: there ($((SECONDS - start)) s)"
            sed -n 's/^\([a-z.0-9-]* [^ ]* from [a-z]*\)$/    \1/p' "$run/$step.log" >&2
        else
            say "  ${brings[$step]}: FAILED, the last lines of its log:"
            tail -n 15 "$run/$step.log" | sed 's/^/    | /' >&2
        fi
    done
}

finish() {
    local step missing=() vars=$run/env.sh
    echo "# Written by collector/tests/setup.sh; source it." >"$vars"
    for step in "${apt_lane[@]}" "${node_lane[@]}"; do
        if [[ -e $run/$step.ok ]]; then
            sed "s/^\([A-Z0-9_]*\)=\(.*\)$/export \1='\2'/" "$run/$step.env" >>"$vars"
        else
            missing+=("${brings[$step]}")
        fi
    done
    mv "$vars" "$cache/env.sh"
    fingerprint >"$cache/stamp"
    rm -f "$cache/missing"
    if ((${#missing[@]} == 0)); then return 0; fi
    printf '%s\n' "${missing[@]}" >"$cache/missing"
    say ""
    say "!!! MISSING TEST TOOLS. Tests that need them will FAIL:"
    printf '!!!   %s\n' "${missing[@]}" >&2
    say "!!! Logs: $cache/logs. Mended? Run collector/tests/setup.sh again."
    return 3
}

main() {
    if [[ ${1:-} == --refresh ]]; then
        exec 9>"$cache/setup.lock"
        flock 9
        find "$cache" -mindepth 1 -maxdepth 1 -not -name setup.lock -not -name dockerd -exec rm -rf {} +
    elif (($# > 0)); then
        die "setup.sh: unknown argument '$1'; it takes --refresh or nothing"
    fi
    if complete; then
        say "Test tools: all there ($cache)"
        return 0
    fi
    exec 9>"$cache/setup.lock"
    if ! flock -n 9; then
        say "Another setup is under way in $cache; waiting for it"
        flock 9
        if complete; then return 0; fi
    fi
    for tool in apt-get dpkg flock python3 node npm; do
        command -v "$tool" >/dev/null || die "setup.sh: needs '$tool' on PATH; on Debian: apt-get install apt dpkg util-linux python3 nodejs npm"
    done
    if [[ -z $(mirror) ]]; then
        die "setup.sh: this machine's apt has no Debian source for '$codename'; the tests' programs come from Debian's packages"
    fi
    say "Setting up test tools for $arch in $cache"
    PPID_OF_RUN=$$
    run=$cache/logs
    rm -rf "$run" "$cache"/debs.* "$cache"/apt/*/none.*
    mkdir -p "$run"
    lane "${node_lane[@]}" &
    local other=$!
    lane "${apt_lane[@]}"
    wait "$other"
    finish
}

main "$@"
