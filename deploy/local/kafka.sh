#!/usr/bin/env bash
# One Apache Kafka broker for a machine that has none.
#
#   kafka.sh fetch    make its jars present (done by start too)
#   kafka.sh start    start it if it does not run, and wait until it answers
#   kafka.sh wait     wait until it answers
#   kafka.sh stop     end it cleanly; kill: end it as a crash would
#   kafka.sh status   say where it runs; exit 1 if it does not
#   kafka.sh env      print `export TSUR_KAFKA=...`
#
# A Kafka on the machine (KAFKA_HOME, or kafka-server-start.sh on PATH) is used instead of a download.
# TSUR_LOCAL_DIR: folder of this instance (.local). TSUR_CACHE_DIR: downloads (.local/cache).
# TSUR_KAFKA_PORT, TSUR_KAFKA_CONTROLLER_PORT: where the search for free ports begins (29092, 29093).
# TSUR_KAFKA_LISTENERS: more listeners, each PORT:ADVERTISED, e.g. "27201:27301 27202:27302". Clients of PORT are sent to
# 127.0.0.1:ADVERTISED, where a proxy of one's own can slow them down or cut them off.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

VERSION=$(sed -n '/<artifactId>kafka_2.13</{n;s/.*<version>\(.*\)<.*/\1/p}' "$HERE/kafka/pom.xml")
DIR=$LOCAL_DIR/kafka
LIB=$CACHE_DIR/kafka-$VERSION
PID_FILE=$DIR/pid
ENV_FILE=$DIR/env
LOGS=$DIR/log

own_kafka_bin() {
  if [ -n "${KAFKA_HOME:-}" ]; then
    [ -x "$KAFKA_HOME/bin/kafka-server-start.sh" ] || die "KAFKA_HOME has no bin/kafka-server-start.sh"
    printf '%s\n' "$KAFKA_HOME/bin"
  elif command -v kafka-server-start.sh >/dev/null 2>&1; then
    dirname "$(command -v kafka-server-start.sh)"
  fi
}

java_command() {
  if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then printf '%s\n' "$JAVA_HOME/bin/java"; else echo java; fi
}

download() {
  [ ! -d "$LIB" ] || return 0
  need mvn
  say "kafka: fetching the jars of Apache Kafka $VERSION (43 MB)"
  local part=$LIB.part
  rm -rf "$part"
  mkdir -p "$part"
  if ! mvn -B -q -f "$HERE/kafka/pom.xml" dependency:copy-dependencies \
    -DoutputDirectory="$part" -DincludeScope=runtime </dev/null >"$CACHE_DIR/kafka-fetch.log" 2>&1; then
    show_tail "$CACHE_DIR/kafka-fetch.log"
    die "kafka: Maven could not fetch the jars"
  fi
  # The folder appears under its final name only when it is complete.
  mv "$part" "$LIB"
}

fetch() {
  [ -z "$(own_kafka_bin)" ] || return 0
  [ -d "$LIB" ] || with_lock "$CACHE_DIR/kafka.lock" download
}

port() { recorded "$ENV_FILE" TSUR_KAFKA | sed 's/.*://'; }

# The smallest real request of the protocol, ApiVersions v0: the answer repeats our correlation id and says "no error".
answers() {
  local reply
  # shellcheck disable=SC2016
  reply=$(timeout 3 bash -c '
    exec 3<>"/dev/tcp/$1/$2"
    printf "\0\0\0\012\0\022\0\0\0\0\0\007\377\377" >&3
    head -c 10 <&3 | od -An -v -tx1 | tr -d " \n"' _ "$1" "$2" 2>/dev/null) || return 1
  [ "${reply:8}" = 000000070000 ]
}

# Its own log must say so too: on a port lost to another instance somebody else would answer.
healthy() { grep -qs 'Kafka Server started' "$LOGS/server.log" "$LOGS/console.log" && answers 127.0.0.1 "$(port)"; }
healthy_or_dead() { healthy || gone "$PID_FILE"; }

# Of two lines for one property the later one counts.
more_listeners() {
  local pair name number=0
  local bound=PLAINTEXT://127.0.0.1:$PORT_A,CONTROLLER://127.0.0.1:$PORT_B
  local advertised=PLAINTEXT://127.0.0.1:$PORT_A protocols=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
  for pair in $TSUR_KAFKA_LISTENERS; do
    number=$((number + 1)) name=PROXIED$((number))
    bound+=,$name://127.0.0.1:${pair%:*}
    advertised+=,$name://127.0.0.1:${pair#*:}
    protocols+=,$name:PLAINTEXT
  done
  printf '%s\n' "listeners=$bound" "advertised.listeners=$advertised" "listener.security.protocol.map=$protocols"
}

configure() {
  local text
  text=$(cat "$HERE/kafka/server.properties.template")
  text=${text//@PORT@/$PORT_A}
  text=${text//@CONTROLLER_PORT@/$PORT_B}
  text=${text//@DATA@/$DIR/data}
  printf '%s\n' "$text" >"$DIR/server.properties"
  [ -z "${TSUR_KAFKA_LISTENERS:-}" ] || more_listeners >>"$DIR/server.properties"
  printf 'TSUR_KAFKA=127.0.0.1:%s\nCONTROLLER_PORT=%s\n' "$PORT_A" "$PORT_B" >"$ENV_FILE"
}

launch() {
  local bin java id
  bin=$(own_kafka_bin)
  java=$(java_command)
  # Letters and digits only: the tool would take a leading dash for an option.
  id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | cut -c 1-22)
  local format=(format -t "$id" -c "$DIR/server.properties" --ignore-formatted)
  rm -f "$LOGS"/*.log
  if [ -n "$bin" ]; then
    if [ ! -f "$DIR/data/meta.properties" ]; then
      LOG_DIR=$LOGS "$bin/kafka-storage.sh" "${format[@]}" >>"$LOGS/format.log" 2>&1 || return 1
    fi
    LOG_DIR=$LOGS KAFKA_HEAP_OPTS="-Xms128m -Xmx768m" \
      detach "$LOGS/console.log" "$bin/kafka-server-start.sh" "$DIR/server.properties"
  else
    if [ ! -f "$DIR/data/meta.properties" ]; then
      "$java" -Xmx128m -XX:TieredStopAtLevel=1 -cp "$LIB/*" kafka.tools.StorageTool "${format[@]}" \
        >>"$LOGS/format.log" 2>&1 || return 1
    fi
    detach "$LOGS/console.log" "$java" -Xms128m -Xmx768m -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true \
      "-Dtsur.log.dir=$LOGS" "-Dlog4j2.configurationFile=$HERE/kafka/log4j2.properties" \
      -cp "$LIB/*" kafka.Kafka "$DIR/server.properties"
  fi
  record_pid "$PID_FILE" "$DETACHED"
}

start_locked() {
  if live_pid "$PID_FILE" >/dev/null; then
    wait_healthy
    say "kafka: runs already on 127.0.0.1:$(port)"
    return 0
  fi
  mkdir -p "$LOGS"
  local try base=${TSUR_KAFKA_PORT:-29092} controller=${TSUR_KAFKA_CONTROLLER_PORT:-}
  controller=${controller:-$((base + 1))}
  PORT_A=$(port)
  PORT_B=$(recorded "$ENV_FILE" CONTROLLER_PORT)
  for try in 1 2 3; do
    # The ports of last time first: clients of an instance that was killed come back to it.
    if [ "$try" -gt 1 ] || [ -z "$PORT_A" ] || [ -z "$PORT_B" ] || ! soon_free "$PORT_A" || ! soon_free "$PORT_B"; then
      pick_pair "$base" "$controller" 2
    fi
    configure
    if launch && until_true 60 healthy_or_dead && ! gone "$PID_FILE"; then
      say "kafka: ready on 127.0.0.1:$PORT_A"
      return 0
    fi
    if ! grep -qs 'Address already in use' "$LOGS"/*.log; then break; fi
  done
  show_tail "$LOGS/format.log" "$LOGS/console.log" "$LOGS/server.log"
  stop_process kafka "$PID_FILE" 5
  die "kafka: did not start; its logs are in $LOGS"
}

start() {
  [ -n "$(own_kafka_bin)" ] || need "$(java_command)"
  fetch
  with_lock "$DIR/lock" start_locked
}

wait_healthy() {
  until_true 60 healthy_or_dead || die "kafka: no answer on 127.0.0.1:$(port) within 60 s; its logs are in $LOGS"
  gone "$PID_FILE" || return 0
  show_tail "$LOGS/console.log" "$LOGS/server.log"
  die "kafka: not running"
}

case "${1:-}" in
  fetch) fetch ;;
  start) start ;;
  wait) wait_healthy ;;
  stop) stop_process kafka "$PID_FILE" 30 ;;
  kill) kill_process kafka "$PID_FILE" ;;
  status)
    pid=$(live_pid "$PID_FILE") || { echo "kafka: not running"; exit 1; }
    if healthy; then echo "kafka: 127.0.0.1:$(port), pid $pid"; else echo "kafka: pid $pid, does not answer"; exit 1; fi
    ;;
  env)
    live_pid "$PID_FILE" >/dev/null || die "kafka: not running"
    echo "export TSUR_KAFKA=127.0.0.1:$(port)"
    ;;
  # Does a broker answer at HOST PORT? For engines.sh, which must know of brokers it did not start.
  answers) answers "$2" "$3" ;;
  *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
