# shellcheck shell=bash
# shellcheck disable=SC2034  # what is set here is used by the scripts that source it
# Shared by the engine scripts: where things live, which ports are free, and how a process is started, recognised
# and ended. Sourced, never run. Everything that runs or is written stays under TSUR_LOCAL_DIR, so that any number of
# clones and test runs live side by side on one machine.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
HERE=$ROOT/deploy/local

absolute() { case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s/%s\n' "$PWD" "$1" ;; esac; }

LOCAL_DIR=$(absolute "${TSUR_LOCAL_DIR:-$ROOT/.local}")
# Downloads are the same for every instance, so the cache does not follow TSUR_LOCAL_DIR.
CACHE_DIR=$(absolute "${TSUR_CACHE_DIR:-$ROOT/.local/cache}")

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
need() { command -v "$1" >/dev/null 2>&1 || die "$1 is missing: run scripts/setup.sh"; }

# A port counts as free when nothing accepts a connection on it. Two instances that start in the same instant can still
# choose the same one; the loser fails to bind and `start` then tries the next pair.
port_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A server that was killed with much memory to give back still accepts connections while its last threads end.
soon_free() { until_true 3 port_free "$1"; }

# pick_pair FIRST SECOND STEP: the first pair (FIRST + k*STEP, SECOND + k*STEP) that is free, in PORT_A and PORT_B.
pick_pair() {
  local k a b
  for ((k = 0; k < 40; k++)); do
    a=$(($1 + k * $3)) b=$(($2 + k * $3))
    if port_free "$a" && port_free "$b"; then PORT_A=$a PORT_B=$b; return 0; fi
  done
  die "no free pair of ports from $1 and $2 upwards"
}

# A pid alone may have been given to another process since; the pid with the start time of the process may not.
start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The second field is the command name, which may hold spaces: count from behind its closing bracket.
  stat=${stat##*) }
  # shellcheck disable=SC2086
  set -- $stat
  [ "$1" != Z ] || return 1
  printf '%s\n' "${20}"
}

record_pid() { printf '%s %s\n' "$2" "$(start_time "$2" || echo gone)" >"$1"; }

# live_pid FILE: the pid in FILE if that very process still runs.
live_pid() {
  local pid started
  [ -f "$1" ] && read -r pid started <"$1" || return 1
  [ "$(start_time "$pid")" = "$started" ] || return 1
  printf '%s\n' "$pid"
}

# detach LOG COMMAND...: runs in a session of its own with no descriptor of ours, so that neither `make` nor a pipe
# waits for it and Ctrl-C in the terminal does not reach it. The pid is in DETACHED.
detach() {
  local log=$1
  shift
  (
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      if [ "$fd" -gt 2 ]; then eval "exec $fd>&-"; fi
    done
    exec setsid "$@"
  ) </dev/null >>"$log" 2>&1 &
  DETACHED=$!
  disown "$!" 2>/dev/null || true
}

# until_true SECONDS COMMAND...
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

gone() { ! live_pid "$1" >/dev/null; }

# stop_process NAME PIDFILE SECONDS: asks first, then insists.
stop_process() {
  local pid
  if pid=$(live_pid "$2"); then
    kill -TERM "$pid" 2>/dev/null || true
    if ! until_true "$3" gone "$2"; then
      say "$1: did not end within $3 s, killing it"
      kill -KILL "$pid" 2>/dev/null || true
      until_true 10 gone "$2" || die "$1: process $pid cannot be killed"
    fi
    say "$1: stopped"
  fi
  rm -f "$2"
}

# kill_process NAME PIDFILE: a crash, for tests of recovery. The ports stay on record, so `start` comes back on them.
kill_process() {
  local pid
  pid=$(live_pid "$2") || { say "$1: not running"; rm -f "$2"; return 0; }
  kill -KILL "$pid" 2>/dev/null || true
  until_true 10 gone "$2" || die "$1: process $pid cannot be killed"
  rm -f "$2"
  say "$1: killed"
}

# recorded FILE KEY: the value of KEY=... in an env file, or nothing.
recorded() { [ ! -f "$1" ] || sed -n "s/^$2=//p" "$1" | head -n 1; }

# with_lock FILE COMMAND...: one at a time; the lock goes with the process that took it.
with_lock() {
  local lock=$1
  shift
  mkdir -p "$(dirname "$lock")"
  exec 9>"$lock"
  flock -w 600 9 || die "another process holds $lock"
  "$@"
  exec 9>&-
}

show_tail() {
  local file
  for file in "$@"; do
    if [ -s "$file" ]; then
      say "--- the end of $file"
      tail -n 25 "$file" >&2
    fi
  done
}
