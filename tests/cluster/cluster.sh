# shellcheck shell=bash
# Shared by the scripts beside it: where this machine keeps its cluster, and how to get at it. There is one cluster on
# a machine, whatever checkout asks for it, as with kind.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(realpath "$here/../..")
# What is made once.
cache=$HOME/.cache/chatsystem/cluster
# What is there while a cluster of provider debian is up.
run=$cache/run
name=chatsystem

say() { echo "cluster: $*" >&2; }

need() { "$here/../services/fetch" --need "$@"; }

# One `up` or `down` at a time.
lock_machine() {
    mkdir -p "$cache"
    exec 8> "$cache/lock"
    flock 8
}

docker_answers() {
    command -v docker > /dev/null && timeout 10 docker version --format '{{.Server.Version}}' > /dev/null 2>&1
}

# docker_has IMAGE...: they are there, or can be pulled.
docker_has() {
    local image
    for image in "$@"; do
        docker image inspect "$image" > /dev/null 2>&1 || docker pull --quiet "$image" >&2 || return
    done
}

# engine: the process that holds the namespaces of our Docker engine. By a name in its environment, so that the number
# in a stale file cannot point to somebody else's process.
engine() {
    local pid
    pid=$(cat "$run/pid" 2> /dev/null) && grep -qzxsF "CHATSYSTEM_CLUSTER=$run" "/proc/$pid/environ" && echo "$pid"
}

# clients PROGRAM...: makes kind, kubectl or helm and puts it where `inside` finds it.
clients() {
    local client part
    mkdir -p "$cache/clients"
    for client in "$@"; do
        part=$client
        [ "$client" != kubectl ] || part=kubernetes
        ln -sfn "$("$here/fetch" "$part")/$client" "$cache/clients/$client"
    done
}

# built ARGUMENT...: where the programs are that the arguments tell cargo to build. PROGRAMS says where they are already.
built() {
    local profile=${PROFILE:-dist}
    [ -n "${PROGRAMS:-}" ] || cargo build --locked --manifest-path "$checkout/Cargo.toml" --profile "$profile" "$@" >&2 || return
    echo "${PROGRAMS:-${CARGO_TARGET_DIR:-$checkout/target}/${profile/#dev/debug}}"
}

# inside COMMAND...: becomes COMMAND where it reaches the cluster, with the clients in its PATH.
inside() {
    local pid
    if [ -e "$run" ]; then
        pid=$(engine) || { say "the engine is gone: make cluster-down, then make cluster-up"; exit 1; }
        export PATH=$cache/clients:$PATH DOCKER_HOST=unix://$run/docker.sock KUBECONFIG=$run/kubeconfig
        exec nsenter --target "$pid" --net -- "$@"
    fi
    # Never whatever cluster the user's own configuration points to just now.
    export PATH=$PATH:$cache/clients KUBECONFIG=$cache/kubeconfig
    [ -e "$KUBECONFIG" ] || { say "no cluster is up: make cluster-up"; exit 1; }
    exec "$@"
}
