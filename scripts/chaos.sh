#!/usr/bin/env bash
# The long chaos run (tests/engines/chaos): several processes of one group, a Kafka and a ClickHouse of its own, and a seeded
# plan of faults. Ends with one line, `chaos: records=N faults=N kinds=N alerts=N lost=0 doubled=0 wrong_cases=0`, and with exit code 1 if
# one of the three is not 0. TSUR_CHAOS_MINUTES, _PROCESSES, _SEED, _RATE (records a second) say what is run.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/local/lib.sh"

export TSUR_CACHE_DIR=$CACHE_DIR
export TSUR_ENGINE_SCRIPTS=$HERE
folder=$ROOT/target/chaos

# The run ends its engines itself; this is for a run that is interrupted.
down() {
  TSUR_LOCAL_DIR=$folder "$HERE/engines.sh" down 2>/dev/null || true
  if grep -qs " $folder/clickhouse/data " /proc/mounts; then umount "$folder/clickhouse/data" || true; fi
}
trap down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd "$ROOT"
cargo test --release --test engines --no-run </dev/null
rm -f "$folder/result"
status=0
# What the test runner adds of its own would stand below the last line.
cargo test --quiet --release --test engines -- --ignored --nocapture --exact chaos::chaos </dev/null |
  sed -u '/^chaos: records=/d; /^running /d; /^test /d; /^\.$/d' || status=$?
[ ! -f "$folder/result" ] || printf '%s\n' "$(cat "$folder/result")"
exit "$status"
