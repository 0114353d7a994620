#!/usr/bin/env bash
# Fills the recordings of README.md: runs the command of each `<!-- recording: COMMAND -->` with the release build, in a
# copy of examples/, and puts command and output between the marks. Nothing is edited by hand.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --quiet
export PATH="$PWD/target/release:$PATH" NO_COLOR=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r examples "$work/"

readme=$PWD/README.md
inside=0
while IFS= read -r line; do
    case $line in
    '<!-- recording: '*' -->')
        command=${line#'<!-- recording: '}
        command=${command%' -->'}
        # What stands before the last `;` prepares the copy and is not shown.
        printf '%s\n\n```console\n$ %s\n' "$line" "${command##*; }"
        # A diagnostic is exit code 1, and worth recording.
        (cd "$work" && bash -c "$command" 2>&1) | sed 's/[[:space:]]*$//' || true
        printf '```\n\n'
        inside=1
        ;;
    '<!-- /recording -->')
        printf '%s\n' "$line"
        inside=0
        ;;
    *)
        [ "$inside" = 1 ] || printf '%s\n' "$line"
        ;;
    esac
done <"$readme" >"$work/README.md"
cp "$work/README.md" "$readme"
