#!/usr/bin/env bash
# Runs the benchmarks with a Kafka and a ClickHouse of their own, and leaves neither behind. Arguments go to the
# benchmarks in memory (`cargo bench --bench kernel --bench text`), e.g. a filter; TSUR_BENCH_* (see
# benches/pipeline/main.rs) are for the one of the whole path.
# Its last line is one JSON object, which is also in target/bench.json.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/local/lib.sh"

export TSUR_LOCAL_DIR=$ROOT/target/bench-engines
export TSUR_CACHE_DIR=$CACHE_DIR

down() { "$HERE/engines.sh" down; }
trap down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd "$ROOT"
# First without engines: they would only take the cores from the compiler and from the kernel.
cargo bench --bench kernel --bench text "$@" </dev/null
cargo bench --bench pipeline --no-run </dev/null

# What an earlier run that was killed has left would be merged at our expense.
down
rm -rf "$TSUR_LOCAL_DIR"
exports=$("$HERE/engines.sh" up)
eval "$exports"
cargo bench --quiet --bench pipeline </dev/null
