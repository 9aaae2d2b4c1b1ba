#!/bin/bash
# The focus of this file is `make run`: Via around the example app, from an empty folder to a page
# in the browser, each step shown as the command a user would type. What an earlier run did is
# kept. Ctrl-C ends app and agent; the data stays.
set -u
cd "$(dirname "$0")/.." || exit 2

build=${BUILD:-build} state=${STATE:-./state} port=${PORT:-8080} agent_port=${AGENT_PORT:-}
via=$build/via vary=$build/vary
at=(--state-dir "$state")
app_pid= agent_pid=

die() {
    printf 'make run: %s\n' "$@" >&2
    exit 1
}

# -- before anything is started: is there room? -----------------------------------

is_port() { [[ $1 =~ ^[1-9][0-9]{0,4}$ ]] && (($1 < 65536)); }
# Somebody listens there when a connection is taken.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

check_ports() {
    is_port "$port" || die "PORT=$port is no port; try: make run PORT=8090"
    ((port >= 1024 || EUID == 0)) ||
        die "port $port may be opened by root alone; try: make run PORT=8090"
    port_taken "$port" &&
        die "port $port is taken by another program; choose another: make run PORT=$((port + 10))"
    if [ -n "$agent_port" ]; then
        is_port "$agent_port" || die "AGENT_PORT=$agent_port is no port; try: make run AGENT_PORT=8191"
        [ "$agent_port" != "$port" ] || die "PORT and AGENT_PORT must differ"
        port_taken "$agent_port" && die "port $agent_port, for the agent, is taken by another program;" \
            "choose another: make run AGENT_PORT=$((agent_port + 10)), or none and one is found"
    elif [ "$port" != 8181 ] && ! port_taken 8181; then
        agent_port=8181
    else
        agent_port=0
    fi
    return 0
}

check_state() {
    if [ -e "$state" ]; then
        [ -d "$state" ] || die "STATE=$state is not a folder; choose another: make run STATE=./state2"
        local owner
        owner=$(stat -L -c %U "$state")
        ((EUID == 0)) || [ -O "$state" ] ||
            die "the state in $state belongs to $owner, not to $(id -un);" \
                "choose another: make run STATE=./state-$(id -un), or use sudo make run"
    else
        local above
        above=$(dirname "$state")
        while [ ! -e "$above" ]; do above=$(dirname "$above"); done
        [ -w "$above" ] || die "$state cannot be made: $above is not writable for $(id -un);" \
            "choose another: make run STATE=\$HOME/via-state"
    fi
    # The pid in run/agent.json is of a live agent only when that is what the process is.
    local pid
    pid=$(sed -n 's/.*"pid" *: *\([0-9][0-9]*\).*/\1/p' "$state/run/agent.json" 2>/dev/null)
    if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = viad ]; then
        die "an agent (pid $pid) serves $state already; end it with \`kill $pid\`," \
            "or choose another state: make run STATE=./state2"
    fi
}

# Root does not run apps as root: as who called sudo, else as nobody, if they can read this folder
# and reach the state root.
choose_user() {
    as_user=()
    ((EUID == 0)) || return 0
    local user
    for user in "${SUDO_USER:-}" nobody; do
        if [ -n "$user" ] && [ "$user" != root ] && reaches "$user"; then
            as_user=(--user "$user")
            printf '\n# You are root: the app runs as %s.\n' "$user"
            return 0
        fi
    done
    as_user=(--user root)
    printf '\n# You are root, and nobody else can read %s and %s: the app runs as root.\n' "$PWD" "$state"
}
reaches() {
    local uid gid
    uid=$(id -u "$1" 2>/dev/null) && gid=$(id -g "$1") || return 1
    setpriv --reuid="$uid" --regid="$gid" --clear-groups sh -c \
        '[ -r tcl/tracker/main.tcl ] && [ -r "$1/via.so" ] && [ -x "$2/run" ]' sh "$build" "$state" 2>/dev/null
}

# -- the steps --------------------------------------------------------------------

show() { printf '\n$ %s\n' "$(quoted "$@")"; }
quoted() {
    local word out=
    for word in "$@"; do
        case $word in
        '' | *[!A-Za-z0-9_./:=@,+-]*) out+=" '${word//\'/\'\\\'\'}'" ;;
        *) out+=" $word" ;;
        esac
    done
    echo "${out# }"
}
step() {
    show "$@"
    "$@" || die "that failed; nothing further was started"
}
done_before() {
    printf '\n# done before: %s\n' "$(quoted "$@")"
}
# One value out of the control plane, "" when the state is not there yet.
ask() { "$via" sql "${at[@]}" "$1" 2>/dev/null; }

prepare() {
    local make_addon=("$via" addon create sqlite tracker-db --app tracker --bind DATABASE "${at[@]}")
    local bind=("$via" addon bind tracker tracker-db --binding DATABASE "${at[@]}")
    local deploy=("$vary" app deploy tracker "${at[@]}")

    if [ "$(ask "SELECT count(*) FROM via_addons WHERE app='tracker' AND name='tracker-db' AND destroyed_at IS NULL")" != 1 ]; then
        step "${make_addon[@]}"
    else
        done_before "${make_addon[@]}"
        if [ "$(ask "SELECT count(*) FROM via_bindings WHERE app='tracker' AND binding='DATABASE'")" = 0 ]; then
            step "${bind[@]}"
        fi
    fi
    if [ "$(ask "SELECT count(*) > 0 FROM via_deploys WHERE app='tracker' AND target='' AND state IN ('pending','running')")" != 1 ]; then
        step "${deploy[@]}"
    else
        done_before "${deploy[@]}"
    fi
}

# Both get process groups of their own (set -m), so that Ctrl-C reaches this script alone and
# it can end the app first and the agent after it.
start_agent() {
    local command=("$build/viad" "${at[@]}" --listen "127.0.0.1:$agent_port")
    show "${command[@]}"
    "${command[@]}" &
    agent_pid=$!
    local n
    for ((n = 0; n < 200; n++)); do
        curl -s -o /dev/null --max-time 1 --unix-socket "$state/run/agent.sock" http://localhost/health &&
            return 0
        kill -0 $agent_pid 2>/dev/null || break
        sleep 0.05
    done
    agent_failed=1
    finish
    die "the agent did not start; what it said is above"
}

start_app() {
    local command=("$via" run tracker "${at[@]}" "${as_user[@]}" --
        tclsh tcl/tracker/main.tcl --port "$port")
    show "${command[@]}"
    TCLLIBPATH="$(realpath "$build")/tcl${TCLLIBPATH:+ $TCLLIBPATH}" "${command[@]}" &
    app_pid=$!
    local n
    for ((n = 0; n < 300; n++)); do
        curl -s -o /dev/null --max-time 2 "http://127.0.0.1:$port/" && return 0
        kill -0 $app_pid 2>/dev/null || break
        sleep 0.1
    done
    finish
    die "the app did not start; what it said is above"
}

finish() {
    trap '' INT TERM HUP
    [ -n "$app_pid" ] && kill -TERM $app_pid 2>/dev/null && wait $app_pid
    [ -n "$agent_pid" ] && kill -TERM $agent_pid 2>/dev/null && wait $agent_pid
    app_pid= agent_pid=
}

stop() {
    echo
    echo "# Ending the app, then the agent."
    finish
    echo "# Ended. The data is in $state; type make run to go on."
    exit 0
}

try_next() {
    cat <<TEXT

    The issue tracker is at   http://127.0.0.1:$port/

Try next, in another terminal, in this folder:

    $(quoted curl -s --unix-socket "$state/run/agent.sock" http://localhost/health)
    $(quoted "$via" sql "${at[@]}" "SELECT app, name, state, size_bytes FROM via_addons")
    $(quoted "$via" addon rotate-credentials tracker-db --app tracker --binding DATABASE "${at[@]}")

Ctrl-C here ends everything; make run picks the data up again.
TEXT
}

check_ports
check_state
prepare
choose_user
set -m
trap stop INT TERM HUP
start_agent
start_app
try_next
wait $app_pid
status=$?
app_pid=
echo "make run: the app has ended (status $status)" >&2
finish
exit 1
