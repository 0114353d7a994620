#!/usr/bin/env bash
# Fills the recordings of README.md and of docs/a_day_with_slurm.md: runs the command of each `<!-- recording: COMMAND -->`
# with the release build, in a copy of examples/, and puts command and output between the marks. Nothing is edited by hand.
# `docs/record.sh FILE...` does so for some pages only. A page that says `<!-- cluster -->` has a real Slurm of two nodes
# (tests/slurm/cluster.sh) with a partition for what can wait and one for what cannot.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- README.md docs/a_day_with_slurm.md
# trainings are recorded with a libtorch (kernels/torch/README.md)
: "${LIBTORCH:?run kernels/torch/libtorch.sh and name its folder}"
cargo build --release --quiet --package icpc --features torch
# a short path: sockets of Slurm lie below it
work=$(mktemp -d /tmp/rec.XXXX)
cluster=$PWD/tests/slurm/cluster.sh
clean() {
    "$cluster" stop "$work/slurm"
    rm -rf "$work"
}
trap clean EXIT
# what people would see: no path of the machine that records
home=$work/home/ada
mkdir -p "$home" "$work/opt/icpc/bin"
cp target/release/icpc "$work/opt/icpc/bin/"
export PATH="$work/opt/icpc/bin:$PATH" NO_COLOR=1

record() {
    local page=$1 command inside=0 line
    rm -rf "$home"
    mkdir -p "$home"
    cp -r examples "$home/"
    cp docs/checkpoint.py "$home/"
    if grep -q '^<!-- cluster -->$' "$page"; then
        SLURM_CONF=$(NODES=2 CPUS=2 CONF="PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=shared Nodes=ALL PriorityTier=1 MaxTime=1-0 State=UP
PartitionName=urgent Nodes=ALL PriorityTier=9 MaxTime=1:00:00 State=UP" "$cluster" start "$work/slurm")
        export SLURM_CONF
    fi
    while IFS= read -r line; do
        case $line in
        '<!-- recording: '*' -->')
            command=${line#'<!-- recording: '}
            command=${command%' -->'}
            # What stands before the last `;; ` prepares the copy and is not shown.
            printf '%s\n\n```console\n$ %s\n' "$line" "${command##*;; }"
            # A diagnostic is exit code 1, and worth recording.
            (cd "$home" && bash -c "${command//;;/;}" 2>&1) | sed "s#$work##g; s/[[:space:]]*\$//" || true
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
    done <"$page" >"$work/page.md"
    cp "$work/page.md" "$page"
}

for page; do
    record "$page"
done
