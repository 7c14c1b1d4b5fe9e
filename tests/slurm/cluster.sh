#!/usr/bin/env bash
# A Slurm of two nodes on this machine: no systemd, fake GPUs, nothing outside $SLURM_TEST_DIR.
#   cluster.sh up     start it and wait until it takes jobs
#   cluster.sh env    what points a shell's client commands at it
#   cluster.sh down   stop what `up` has started
set -euo pipefail

DIR=${SLURM_TEST_DIR:?a short folder, as sockets lie in it}
PORT=${SLURM_TEST_PORT:-16817}   # of slurmctld; the nodes' are the next two
HOST=$(hostname -s)
export SLURM_CONF=$DIR/etc/slurm.conf

wait_for() {  # SECONDS WHAT COMMAND...
    local left=$(( $1 * 10 )) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        (( left-- > 0 )) || { echo "no $what" >&2; tail -n 20 "$DIR"/log/*.log >&2; return 1; }
        sleep 0.1
    done
}

start_munge() {
    install -d -m 0700 -o munge -g munge "$DIR/munge"
    install -d -m 0755 -o munge -g munge "$DIR/run"
    head -c 1024 /dev/urandom >"$DIR/munge/key"
    chown munge:munge "$DIR/munge/key"
    chmod 0400 "$DIR/munge/key"
    runuser -u munge -- munged --force --key-file="$DIR/munge/key" --socket="$DIR/run/munge.socket" \
        --pid-file="$DIR/run/munged.pid" --log-file="$DIR/munge/log" --seed-file="$DIR/munge/seed"
    wait_for 10 "answer of munge" munge --socket="$DIR/run/munge.socket" -n
}

configure() {
    : >"$DIR/etc/gres.conf"
    for node in 1 2; do  # any devices will do
        echo "NodeName=node$node Name=gpu File=/dev/tty[$(( 6 * node - 5 ))-$(( 6 * node ))]" >>"$DIR/etc/gres.conf"
    done
    cat >"$DIR/etc/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$DIR/run/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool/%n
SlurmctldPidFile=$DIR/run/slurmctld.pid
SlurmdPidFile=$DIR/run/slurmd-%n.pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdLogFile=$DIR/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MinJobAge=3600
KillWait=3
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2,sched_min_interval=0
MpiDefault=none
NodeName=node1 NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$(( PORT + 1 )) CPUs=64 RealMemory=1000000 Gres=gpu:6
NodeName=node2 NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$(( PORT + 2 )) CPUs=64 RealMemory=1000000 Gres=gpu:6
PartitionName=gpu Nodes=node[1-2] Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=urgent Nodes=node[1-2] MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
CONF
}

case ${1:-} in
    up)
        mkdir -p "$DIR"/{bin,etc,log,state,run} "$DIR"/spool/node{1,2}
        for command in srun scontrol sbatch squeue scancel sinfo; do  # jobs lose SLURM_CONF
            printf '#!/bin/sh\nSLURM_CONF=%s exec /usr/bin/%s "$@"\n' "$SLURM_CONF" "$command" >"$DIR/bin/$command"
            chmod +x "$DIR/bin/$command"
        done
        start_munge
        configure
        slurmctld -c
        wait_for 20 "answer of slurmctld" scontrol ping
        slurmd -c -N node1
        slurmd -c -N node2
        wait_for 20 "two idle nodes" bash -c '[[ $(sinfo -h -p gpu -N -o %T | grep -cx idle) == 2 ]]'
        ;;
    env) echo "SLURM_CONF=$SLURM_CONF" "PATH=$DIR/bin:$PATH" ;;
    down)
        scancel --user "$(id -un)" 2>/dev/null || true
        for name in slurmd-node1 slurmd-node2 slurmctld munged; do
            [[ -s $DIR/run/$name.pid ]] || continue
            pid=$(cat "$DIR/run/$name.pid")
            kill "$pid" 2>/dev/null || true
            for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        done
        rm -rf "$DIR"
        ;;
    *) sed -n '2,5p' "$0"; exit 2 ;;
esac
