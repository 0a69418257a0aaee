#!/usr/bin/env bash
# Makes a Debian or Ubuntu machine ready: it needs git, make and a Rust toolchain, all else is installed from the
# distribution if it is missing. Silent and quick when nothing is.
#
#   setup.sh         everything for `make test` and the local engines
#   setup.sh demo    no Java, no Maven: the demo carries its Kafka in the process
#   setup.sh build   only what the compiler needs
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/local/lib.sh"

part=${1:-all}
case $part in all | demo | build) ;; *) die "usage: scripts/setup.sh [all|demo|build]" ;; esac

has() { command -v "$1" >/dev/null 2>&1; }

missing=()
want() { missing+=("$@"); }

# The broker needs Java 17. The release file beside the runtime tells without the cost of starting it.
java_ok() {
  local java home version
  java=${JAVA_HOME:+$JAVA_HOME/bin/java}
  if [ ! -x "$java" ]; then java=$(command -v java) || return 1; fi
  home=$(dirname "$(dirname "$(readlink -f "$java")")")
  version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release" 2>/dev/null || true)
  [ -n "$version" ] || version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${version:-0}" -ge 17 ]
}

kafka_here() { [ -n "${KAFKA_HOME:-}" ] || has kafka-server-start.sh; }
clickhouse_here() { [ -n "${TSUR_CLICKHOUSE_URL:-}" ] || [ -n "${TSUR_CLICKHOUSE_BIN:-}" ] || has clickhouse; }
# A download that was made already needs its tool no more.
cached() { compgen -G "$CACHE_DIR/$1" >/dev/null; }

has cargo || die "no Rust toolchain: install it with rustup (see rust-lang.org), open a new shell and run this again"

if ! has cc || ! has c++ || ! has make; then want build-essential; fi
if ! has pkg-config; then
  want pkg-config libssl-dev zlib1g-dev
else
  pkg-config --exists openssl || want libssl-dev
  pkg-config --exists zlib || want zlib1g-dev
fi
if [ "$part" != build ]; then
  has curl || want curl
  clickhouse_here || cached 'chdb-*/libchdb.so' || has npm || want npm
fi
if [ "$part" = all ] && [ -z "${TSUR_KAFKA:-}" ]; then
  java_ok || want java
  kafka_here || cached 'kafka-*[0-9]' || has mvn || want maven
fi

# With rustup the pinned toolchain comes by itself at the first cargo call; without it the version must do.
if ! has rustup; then
  pinned=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml")
  have=$(rustc --version | cut -d ' ' -f 2)
  [ "$(printf '%s\n' "$pinned" "$have" | sort -V | head -n 1)" = "$pinned" ] ||
    die "Rust $have is older than $pinned: update it, or install rustup (see rust-lang.org)"
fi

[ "${#missing[@]}" -gt 0 ] || exit 0

if ! has apt-get; then
  die "install these first (Debian names): ${missing[*]/#java/Java runtime 17 or newer}"
fi
if [ "$(id -u)" = 0 ]; then
  sudo=()
elif has sudo && sudo -n true 2>/dev/null; then
  sudo=(sudo -n)
else
  die "install these first: sudo apt-get install ${missing[*]/#java/openjdk-17-jre-headless}"
fi

say "setup: installing ${missing[*]}"
apt() { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" </dev/null >"$log" 2>&1; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt update || { show_tail "$log"; die "setup: apt-get update failed"; }
# Which Java there is depends on the release of the distribution.
java_package() {
  local package
  for package in openjdk-21-jre-headless openjdk-17-jre-headless openjdk-25-jre-headless default-jre-headless; do
    if apt-cache show "$package" >/dev/null 2>&1; then break; fi
  done
  printf '%s\n' "$package"
}
packages=()
for name in "${missing[@]}"; do
  if [ "$name" = java ]; then name=$(java_package); fi
  packages+=("$name")
done
apt install -y --no-install-recommends "${packages[@]}" ||
  { show_tail "$log"; die "setup: apt-get install ${packages[*]} failed"; }
