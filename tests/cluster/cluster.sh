# shellcheck shell=bash
# Shared by the scripts beside it.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(realpath "$here/../..")

say() { echo "cluster: $*" >&2; }

need() { "$here/../services/fetch" --need "$@"; }

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
