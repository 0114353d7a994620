#!/usr/bin/env bash
# A real Slurm on the loopback interface for tests, with as many nodes as wanted, all on this machine.
#
#   cluster.sh start DIR    starts it and prints the path of its slurm.conf; clients need SLURM_CONF=that path
#   cluster.sh stop DIR     cancels the jobs, ends the daemons, removes DIR
#
# Everything lies under DIR, whose path may have 60 characters (Unix sockets), and belongs to the caller, root or not.
# Settings are variables of the environment:
#   NODES=1 CPUS=4 MEMORY=4000 (MiB)    of each node; the nodes are n1, n2, ...
#   GPUS=0 GPU_TYPE=a30                 of each node; they are names only
#   CONF="..."                          more lines of slurm.conf: partitions, preemption
#   SLURM_ROOT=DIR                      where fetch.sh unpacked the packages; empty where they are installed
set -euo pipefail

usage() { echo "usage: $0 start|stop DIR" >&2; exit 2; }
[ $# = 2 ] || usage
folder=$(realpath -m -- "$2")
root=${SLURM_ROOT:-}
conf=$folder/slurm.conf
plugins=$root/usr/lib/x86_64-linux-gnu/slurm-wlm
PATH=$root/usr/bin:$root/usr/sbin:/usr/sbin:$PATH
export SLURM_CONF=$conf
[ -z "$root" ] || export LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$plugins

# Whatever ran in this cluster inherits ICPC_TEST_CLUSTER from its daemon, or has SLURM_CONF from its job.
processes() {
    local environment
    for environment in /proc/[0-9]*/environ; do
        [ "$environment" != "/proc/$$/environ" ] || continue
        if grep -qzxF "ICPC_TEST_CLUSTER=$folder" "$environment" ||
            { grep -qzxF "SLURM_CONF=$conf" "$environment" && grep -qz '^SLURMD_NODENAME=' "$environment"; }; then
            environment=${environment#/proc/}
            echo "${environment%/environ}"
        fi
    done 2>/dev/null
}

stop() {
    [ -e "$conf" ] || return 0
    local jobs daemons _
    if jobs=$(timeout 3 squeue --noheader --format=%A 2>/dev/null) && [ -n "$jobs" ]; then
        # shellcheck disable=SC2086 # one word for each job
        timeout 3 scancel $jobs 2>/dev/null || true
        for _ in {1..30}; do
            [ -n "$(timeout 3 squeue --noheader 2>/dev/null)" ] || break
            sleep 0.1
        done
    fi
    daemons=$(processes)
    # shellcheck disable=SC2086
    [ -z "$daemons" ] || kill $daemons 2>/dev/null || true
    for _ in {1..40}; do
        [ -n "$(processes)" ] || break
        sleep 0.05
    done
    daemons=$(processes)
    # shellcheck disable=SC2086
    [ -z "$daemons" ] || kill -9 $daemons 2>/dev/null || true
    rm -rf -- "$folder"
}

# Ports are looked for and taken under a lock, so that clusters can be started at the same time.
taken=" "
port() {
    while :; do
        port=$((20000 + RANDOM % 12000))
        [[ $taken != *" $port "* ]] || continue
        grep -qE ":$(printf %04X "$port") [0-9A-F:]+ 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null || break
    done
    taken+="$port "
}

configure() {
    local nodes=$1 user number address gres=()
    user=$(id -un)
    # Slurm listens on the address of the machine's name; where that is not loopback, it is told nothing about it.
    address=$(getent ahostsv4 "$(uname -n)" | awk 'NR == 1 { print $1 }') || address=
    local bind=
    case $address in
        127.*) bind="CommunicationParameters=NoCtldInAddrAny,NoInAddrAny" ;;
        *) address=127.0.0.1 ;;
    esac
    port
    cat <<LINES
ClusterName=test
SlurmctldHost=localhost($address)
SlurmctldPort=$port
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/none
CredType=cred/none
# A requeued job may start when the credential of its last run is over: 2 minutes, if nothing is said.
AuthInfo=cred_expire=5
PluginDir=$plugins
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=3
GresTypes=gpu
$bind
LINES
    if [ "${GPUS:-0}" -gt 0 ]; then
        # Slurm wants a device for each; these exist everywhere and nobody opens them.
        local devices=(/dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty)
        [ "$GPUS" -le ${#devices[@]} ] || { echo "at most ${#devices[@]} GPUs" >&2; return 1; }
        (IFS=,; echo "Name=gpu Type=${GPU_TYPE:-a30} File=${devices[*]:0:GPUS}" >"$folder/gres.conf")
        gres=("Gres=gpu:${GPU_TYPE:-a30}:$GPUS")
    fi
    for ((number = 1; number <= nodes; number++)); do
        port
        echo "NodeName=n$number NodeHostname=localhost NodeAddr=$address Port=$port CPUs=${CPUS:-4}" \
            "RealMemory=${MEMORY:-4000}" "${gres[@]}"
    done
    echo "PartitionName=debug Nodes=ALL Default=YES MaxTime=UNLIMITED State=UP"
    echo "${CONF:-}"
}

daemon() {
    (cd "$folder" && ICPC_TEST_CLUSTER=$folder setsid "$@" 7>&- </dev/null >>"$folder/err" 2>&1)
}

idle() { timeout 3 sinfo --noheader --Node --format='%N %T' 2>/dev/null | sort -u | grep -c ' idle$'; }

start() {
    local nodes=${NODES:-1} number program _
    [ ${#folder} -le 60 ] || { echo "longer than 60 characters: $folder" >&2; return 2; }
    [ -x "$root/usr/sbin/slurmctld-wlm" ] || { echo "there is no Slurm in $root/" >&2; return 3; }
    stop
    mkdir -p "$folder/state" "$folder/bin"
    exec 7>"${TMPDIR:-/tmp}/icpc-slurm-$(id -u).lock"
    flock 7
    configure "$nodes" >"$conf"
    # Debian's files are called ...-wlm, and the daemons look at the name that they were called by.
    for program in slurmctld slurmd slurmstepd; do
        ln -sf "$root/usr/sbin/$program-wlm" "$folder/bin/$program"
    done
    daemon "$folder/bin/slurmctld" -i -f "$conf"
    for ((number = 1; number <= nodes; number++)); do
        mkdir -p "$folder/n$number"
        daemon "$folder/bin/slurmd" -N "n$number" -f "$conf" -d "$folder/bin/slurmstepd"
    done
    for _ in {1..200}; do
        if [ "$(idle)" = "$nodes" ]; then
            echo "$conf"
            return 0
        fi
        sleep 0.05
    done
    { echo "the nodes are not idle after 10 s"; sinfo --Node; tail -n 10 "$folder"/err "$folder"/*.log; } >&2 || true
    stop
    return 1
}

case $1 in
    start | stop) "$1" ;;
    *) usage ;;
esac
