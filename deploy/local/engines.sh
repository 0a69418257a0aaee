#!/usr/bin/env bash
# Kafka and ClickHouse together.
#
#   engines.sh up       start both (in parallel) and print the two `export` lines, for eval "$(make -s engines-up)"
#   engines.sh down     stop what was started here
#   engines.sh status   say where both run; exit 1 if one does not
#   engines.sh env      print the two `export` lines
#
# An engine whose address is set already (TSUR_KAFKA, TSUR_CLICKHOUSE_URL) is not started: it only has to answer.
# Only the `export` lines go to standard output.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# given NAME ENGINE KEY: is the address in variable NAME that of an engine other than our own? A shell that has eval'ed
# the lines of `up` carries our own addresses, and these must not keep us from starting the engines again.
given() { [ -n "${!1:-}" ] && [ "${!1}" != "$(recorded "$LOCAL_DIR/$2/env" "$1")" ]; }
kafka_given() { given TSUR_KAFKA kafka; }
clickhouse_given() { given TSUR_CLICKHOUSE_URL clickhouse; }

# One broker of a comma-separated list is enough. A TCP connection, because the broker may want TLS.
check_kafka() {
  local address list
  IFS=, read -ra list <<<"$TSUR_KAFKA"
  for address in "${list[@]}"; do
    # shellcheck disable=SC2016
    if timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2"' _ "${address%:*}" "${address##*:}" 2>/dev/null; then return 0; fi
  done
  die "TSUR_KAFKA=$TSUR_KAFKA is set but nothing answers there; unset it to use a local Kafka"
}

check_clickhouse() {
  need curl
  curl -sSf -m 5 -o /dev/null "${TSUR_CLICKHOUSE_URL%/}/ping" 2>/dev/null ||
    die "TSUR_CLICKHOUSE_URL=$TSUR_CLICKHOUSE_URL is set but nothing answers there; unset it to use a local ClickHouse"
}

kafka_up() { if kafka_given; then check_kafka; else "$HERE/kafka.sh" start; fi; }
clickhouse_up() { if clickhouse_given; then check_clickhouse; else "$HERE/clickhouse.sh" start; fi; }

print_env() {
  local kafka clickhouse
  if kafka_given; then kafka="export TSUR_KAFKA=$TSUR_KAFKA"; else kafka=$("$HERE/kafka.sh" env); fi
  if clickhouse_given; then
    clickhouse="export TSUR_CLICKHOUSE_URL=$TSUR_CLICKHOUSE_URL"
  else
    clickhouse=$("$HERE/clickhouse.sh" env)
  fi
  printf '%s\n' "$kafka" "$clickhouse"
}

case "${1:-}" in
  up)
    (kafka_up) >&2 &
    kafka=$!
    (clickhouse_up) >&2 &
    clickhouse=$!
    failed=0
    wait "$kafka" || failed=1
    wait "$clickhouse" || failed=1
    [ "$failed" = 0 ] || exit 1
    print_env
    ;;
  down)
    "$HERE/clickhouse.sh" stop &
    clickhouse=$!
    "$HERE/kafka.sh" stop
    wait "$clickhouse"
    ;;
  status)
    failed=0
    if kafka_given; then (check_kafka) && echo "kafka: $TSUR_KAFKA (given)" || failed=1
    else "$HERE/kafka.sh" status || failed=1; fi
    if clickhouse_given; then (check_clickhouse) && echo "clickhouse: $TSUR_CLICKHOUSE_URL (given)" || failed=1
    else "$HERE/clickhouse.sh" status || failed=1; fi
    exit "$failed"
    ;;
  env) print_env ;;
  *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
