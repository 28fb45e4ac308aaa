#!/bin/bash
# Makes:   one search as a job of Slurm: a Ray on all nodes of the job, two with a GPU each. Before
#          its time is up, after a preemption and after the loss of a node it is queued again.
# Costs:   nothing per hour beyond what the nodes cost anyway.
# Needs:   the project in an environment, and a file system that all nodes share, or a store.
# Launch:  fer-tune cluster check slurm.sh --space densenet161_vs_resnet152 --gpu-memory 40
#          sbatch slurm.sh
# Gone:    by itself; at once with scancel --name fer-tune
# First replace every CHANGE-ME; docs/slurm.md explains each one.
#SBATCH --job-name=fer-tune
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --mem=32G
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --signal=B:USR1@300
#SBATCH --open-mode=append
#SBATCH --output=fer-tune-%j.log

. /CHANGE-ME/fer_tune-env/bin/activate
DATA=/CHANGE-ME/faces
RESULTS=/CHANGE-ME/results/first
MOST_RESTARTS=100

# A token of this job alone, in a folder that all nodes share and nobody else can read.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$HOME/.fer_tune-token-$SLURM_JOB_ID"
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT
(umask 077; openssl rand -hex 32 > "$RAY_AUTH_TOKEN_PATH")

# Ports and a folder of this job alone: nodes may be shared, and a Ray of its last run may still be
# ending. Never `--address auto`, which could find the Ray of another job.
PORT=$((20000 + (SLURM_JOB_ID + 101 * ${SLURM_RESTART_COUNT:-0}) % 10000))
HEAD=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
ray start --head --port=$PORT --ray-client-server-port=$((PORT + 10000)) --include-dashboard=false \
  --temp-dir=/tmp/fer_tune-$SLURM_JOB_ID --disable-usage-stats \
  --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" || exit 1
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
  WORKERS=$((SLURM_JOB_NUM_NODES - 1))
  srun --nodes=$WORKERS --ntasks=$WORKERS --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    --exclude="$HEAD" ray start --address="$HEAD:$PORT" --block --disable-usage-stats \
    --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" &
fi

# The search counts the machines once, when it begins: wait up to five minutes for all.
for _ in $(seq 60); do
  JOINED=$(ray status --address="$HEAD:$PORT" | grep -c ' node_' || true)
  [ "$JOINED" -ge "$SLURM_JOB_NUM_NODES" ] && break
  sleep 5
done

fer-tune search densenet161_vs_resnet152 --data "$DATA" --results "$RESULTS" --or-resume \
  --address "$HEAD:$PORT" &
SEARCH=$!
# Slurm sends SIGUSR1 some minutes before it ends the job. The search then ends with 75, after its
# running epochs. SIGTERM comes from scancel, after which the job must not be queued again.
INTERRUPTED= CANCELLED=
trap 'INTERRUPTED=yes; kill -TERM "$SEARCH"' USR1
trap 'INTERRUPTED=yes CANCELLED=yes; kill -TERM "$SEARCH"' TERM
wait "$SEARCH"
CODE=$?
while [ -n "$INTERRUPTED" ]; do # the signal ended `wait`, not the search
  INTERRUPTED=
  wait "$SEARCH"
  CODE=$?
done

if [ "$CODE" = 75 ] && [ -z "$CANCELLED" ] &&
  [ "${SLURM_RESTART_COUNT:-0}" -lt "$MOST_RESTARTS" ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$CODE"
