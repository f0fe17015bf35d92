# Sourced by every server's script: where things lie, who runs them, when they are ready.
# Every script has these verbs and ends with: dispatch "$@"
#   fetch          build or download what it needs, once
#   up             start it unless it runs, wait until it answers, print its export line
#   stop [SIGNAL]  end its process; its data stay, and the next `up` finds them (KILL: a crash)
#   down           end it and drop its data; what was fetched stays
#   status         whether it runs
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)"
NAME="$(basename "$HERE")"
SERVERS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
SERVERS_DIR="${LUPUS_SERVERS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/lupus-servers}"
READY_TIMEOUT="${LUPUS_SERVERS_TIMEOUT:-300}"
# Where servers listen: the test cluster's node address, which pods can reach, or loopback where
# there is no such bridge.
NODE=10.244.0.1
if [ -e /sys/class/net/lupus0 ]; then ADDRESS=$NODE; else ADDRESS=127.0.0.1; fi
ADDRESS="${LUPUS_SERVERS_ADDRESS:-$ADDRESS}"

say() { printf '%s: %s\n' "$NAME" "$*" >&2; }
die() { say "$*"; exit 1; }
need() { command -v "$1" >/dev/null || die "needs the command '$1' ($2)"; }

# dispatch VERB [ARG...]
dispatch() {
  case "${1:-}" in
    fetch | up | stop | down | status) "$@" ;;
    *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$HERE/server" >&2; exit 2 ;;
  esac
}

# as_user COMMAND...: Elasticsearch and PostgreSQL refuse to run as root. Root becomes uid 1000 of a
# private user namespace: the files stay root's own, and no account has to be made.
as_user() {
  if [ "$(id -u)" != 0 ]; then "$@"
  elif unshare --user --map-user=1000 --map-group=1000 true 2>/dev/null; then
    unshare --user --map-user=1000 --map-group=1000 "$@"
  else die "run this as an ordinary user: no user namespaces here, and the server refuses root"; fi
}

# running PIDFILE WORD: true when that process is alive and its command line holds the word.
running() {
  local pid
  pid="$(head -n 1 "$1" 2>/dev/null)" || return 1
  [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$2"
}

# launch PIDFILE LOG COMMAND...: start detached, write the pid.
launch() {
  local pidfile="$1" log="$2"; shift 2
  setsid --fork sh -c 'echo $$ >"$0"; exec "$@"' "$pidfile" "$@" </dev/null >>"$log" 2>&1
}

# wait_for WHAT LOG COMMAND...: poll until the command succeeds; show the log's end when it never does.
wait_for() {
  local what="$1" log="$2" deadline=$((SECONDS + READY_TIMEOUT)); shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      tail -n 20 "$log" >&2 || true
      die "$what was not ready after $READY_TIMEOUT s"
    fi
    sleep 0.2
  done
}

# end PIDFILE WORD [SIGNAL]: end exactly that process and wait until it is gone.
end() {
  local pid deadline=$((SECONDS + 30))
  if running "$1" "$2"; then
    pid="$(head -n 1 "$1")"
    kill "-${3:-TERM}" "$pid"
    while kill -0 "$pid" 2>/dev/null && [ "$(ps -o stat= -p "$pid" | cut -c1)" != Z ]; do
      if [ "$SECONDS" -ge "$deadline" ]; then kill -KILL "$pid" 2>/dev/null || true; fi
      sleep 0.1
    done
  fi
}

# free_port PORT VARIABLE: refuse a port that another process goes on answering on. The threads of a
# server that was just killed may hold theirs for a moment.
free_port() {
  local deadline=$((SECONDS + 10))
  while (exec 3<>"/dev/tcp/$ADDRESS/$1") 2>/dev/null; do
    [ "$SECONDS" -lt "$deadline" ] || die "port $1 is taken; set $2 to another one"
    sleep 0.2
  done
}

get() { curl -fsS --noproxy '*' --max-time 5 "$@"; }

# java_17: prints the path of a Java 17 launcher.
java_17() {
  local home
  for home in "${LUPUS_TEST_JAVA17_HOME:-}" "${JAVA_HOME:-}" /usr/lib/jvm/* "$(dirname "$(dirname "$(command -v java || echo /none/none)")")"; do
    if [ -n "$home" ] && "$home/bin/java" -version 2>&1 | grep -q 'version "17\.'; then
      echo "$home/bin/java"
      return
    fi
  done
  die "needs Java 17 (Debian: apt-get install --no-install-recommends openjdk-17-jdk-headless)"
}

# python_with VENV PACKAGE...: prints the python of a virtual environment that holds just these.
python_with() {
  local venv="$1"; shift
  if [ "$(cat "$venv/packages" 2>/dev/null)" != "$*" ]; then
    say "installing $*"
    rm -rf "$venv"
    "${PYTHON:-python3}" -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >&2
    echo "$*" >"$venv/packages"
  fi
  echo "$venv/bin/python"
}
