#!/usr/bin/env bash
# Puts known bugs back, one at a time, and demands that the laws of src/testkit see each of them.
#
#   scripts/mutations.sh            every patch of tests/mutations/; the unchanged sources first
#   scripts/mutations.sh NAME…      only these
#   scripts/mutations.sh --check    only whether the patches still apply; compiles nothing
#
# The sources are copied to target/mutations and compiled into the same target directory, so dependencies are not built again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
copy=$root/target/mutations

if [ "${1:-}" = --check ]; then
    for patch in tests/mutations/*.patch; do
        git apply --check "$patch" || {
            echo "$patch does not apply any more: make the same change again and save it with git diff" >&2
            exit 1
        }
    done
    exit 0
fi

# Files keep their times, so that cargo compiles again only what a patch has touched.
mkdir -p "$copy"
rm -rf "${copy:?}/src"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
done | tar --null -T - -cf - | tar -xf - -C "$copy"

# in_copy ARGS: git apply in the copy, which lies inside the repository and must not be taken for it.
in_copy() {
    (cd "$copy" && GIT_CEILING_DIRECTORIES=$root/target git apply "$@")
}

# laws LOG: whether the laws hold; 2 when the sources do not compile.
laws() {
    local log=$1
    (cd "$copy" && CARGO_TARGET_DIR=$root/target cargo test --lib --no-run) >"$log" 2>&1 </dev/null || return 2
    (cd "$copy" && CARGO_TARGET_DIR=$root/target cargo test --lib -- testkit) >>"$log" 2>&1 </dev/null || return 1
}

names=("$@")
if [ ${#names[@]} = 0 ]; then
    for patch in tests/mutations/*.patch; do names+=("$(basename "$patch" .patch)"); done
    if ! laws "$copy/unchanged.log"; then
        echo "unchanged: the laws do not hold; see $copy/unchanged.log" >&2
        exit 1
    fi
    echo "unchanged: the laws hold"
fi

missed=0
for name in "${names[@]}"; do
    patch=$root/tests/mutations/$name.patch
    log=$copy/$name.log
    in_copy "$patch"
    verdict=0
    laws "$log" || verdict=$?
    in_copy -R "$patch"
    case $verdict in
        1) echo "$name: seen ($(grep -c '^test .* FAILED$' "$log") tests fail: $(grep -m1 -o 'a law is broken: .*' "$log" | cut -c18-120))" ;;
        0) echo "$name: NOT SEEN; see $log" && missed=1 ;;
        *) echo "$name: does not compile; see $log" && missed=1 ;;
    esac
done
exit $missed
