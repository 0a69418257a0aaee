#!/usr/bin/env bash
# Runs cargo test with a Kafka and a ClickHouse of its own, and leaves neither behind. Arguments go to cargo test.
#
# What tests find in their environment:
#   TSUR_KAFKA, TSUR_CLICKHOUSE_URL   the two engines (those given from outside are used as they are)
#   TSUR_ENGINE_SCRIPTS               folder of kafka.sh and clickhouse.sh, for tests that start and kill their own
#                                     instance (TSUR_LOCAL_DIR names its folder)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/local/lib.sh"

export TSUR_LOCAL_DIR=$ROOT/target/test-engines
export TSUR_CACHE_DIR=$CACHE_DIR
export TSUR_ENGINE_SCRIPTS=$HERE

# The chaos test ends the engines that it starts; this is for a run that is interrupted.
down() {
  "$HERE/engines.sh" down
  TSUR_LOCAL_DIR=$TSUR_LOCAL_DIR/chaos "$HERE/engines.sh" down
}
# Also on Ctrl-C and on a cancelled run: first the engines go, then the caller learns why.
trap down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# What an earlier run that was killed has left: it would only be state that tests do not expect.
down
rm -rf "$TSUR_LOCAL_DIR"
exports=$("$HERE/engines.sh" up)
eval "$exports"

cd "$ROOT"
cargo test "$@" </dev/null
