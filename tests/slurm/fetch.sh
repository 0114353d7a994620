#!/usr/bin/env bash
# Unpacks Debian's packages of Slurm under ROOT, for who may not install them: `SLURM_ROOT=ROOT cluster.sh start DIR`.
set -euo pipefail
[ $# = 1 ] || { echo "usage: $0 ROOT" >&2; exit 2; }
root=$(realpath -m -- "$1")
[ ! -x "$root/usr/sbin/slurmctld-wlm" ] || exit 0
download=$(mktemp -d)
trap 'rm -rf -- "$download"' EXIT
cd "$download"
apt-get --quiet -o APT::Sandbox::User="$(id -un)" download slurmctld slurmd slurm-client slurm-wlm-basic-plugins libmunge2 libhwloc15 liblua5.1-0 >/dev/null
mkdir -p "$root"
for package in *.deb; do
    dpkg --extract "$package" "$root"
done
