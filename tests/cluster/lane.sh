# shellcheck shell=bash
# Shared by e2e and e2e-long, after cluster.sh: programs, images and a cluster to begin with, and nothing left in the end.
# shellcheck source=system.sh
. "$here/system.sh"
# shellcheck source=scenarios.sh
. "$here/scenarios.sh"
# shellcheck source=upgrade.sh
. "$here/upgrade.sh"
# shellcheck source=monitoring.sh
. "$here/monitoring.sh"

# One for what is tried by the way, and the one of the system.
namespace=chatsystem-smoke system=chatsystem-e2e
scratch=$(mktemp -d)
stays=

was_up() {
    [ -e "$run/ready" ] || { docker_answers && PATH=$PATH:$cache/clients && kind get clusters 2> /dev/null | grep -qx "$name"; }
}

# A failed test shows what Kubernetes and the pods say about it; then everything goes that was not there before.
finish() {
    local code=$? place
    # What follows logs or the load.
    # shellcheck disable=SC2046
    kill $(jobs -p) 2> /dev/null || true
    if [ "$code" != 0 ]; then
        for place in "$namespace" "$system" chat-operator; do
            kubectl --namespace "$place" get pods --output wide || true
            kubectl --namespace "$place" get events --sort-by .lastTimestamp | tail -n 40 || true
        done
        kubectl --namespace "$system" get chatsystem --output yaml || true
        kubectl --namespace chat-operator logs deployment/chat-operator --tail 50 || true
        kubectl --namespace "$system" logs --selector app.kubernetes.io/component=api --prefix --tail 50 || true
        # What went wrong comes last, where people look first.
        grep -s -m 1 -A 20 'panicked at' "$scratch/said" || true
    fi >&2
    if [ -n "$stays" ]; then remove_all || true; else "$here/down" || true; fi
    rm -rf "$scratch"
    exit "$code"
}

remove_all() {
    # Of a node that a test has killed nothing can be removed.
    # shellcheck disable=SC2046
    "$here/with" docker start $("$here/with" kind get nodes --name "$name" 2> /dev/null) > /dev/null || true
    kubectl delete --ignore-not-found --filename "$here/ingress.yaml"
    kubectl delete --ignore-not-found chatsystem --all --all-namespaces || true
    remove_prometheus
    helm uninstall --ignore-not-found --namespace chat-operator chat-operator chat-operator-crds
    remove_monitors
    remove_gateway
    remove_metrics
    kubectl delete --ignore-not-found customresourcedefinition chatsystems.chatsystem.io
    kubectl delete --ignore-not-found namespace "$namespace" "$system" chat-operator
}

# What steps of e2e-long install. With the kinds of the Gateway API goes everything of these kinds.
remove_gateway() {
    kubectl delete --ignore-not-found customresourcedefinition {gatewayclasses,gateways,httproutes}.gateway.networking.k8s.io
}
remove_metrics() { kubectl delete --ignore-not-found --filename "$here/metrics.yaml"; }

# begin: builds what the tests need, and starts the cluster if it is not up. Sets `tests`, the command that runs tests/it, and
# `worker_image`.
begin() {
    local images
    ! was_up || stays=yes
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # As `make test` does it, so that nothing is built twice.
    # shellcheck disable=SC2054
    tests=(cargo test --locked --manifest-path "$checkout/Cargo.toml" --workspace --test it
        --features api/cluster,worker/cluster,api/otlp,worker/otlp,bench/stack)
    "${tests[@]}" --no-run
    # Those that the tests have built by the way.
    [ "${PROFILE:-}" != dev ] || export PROGRAMS=${CARGO_TARGET_DIR:-$checkout/target}/debug
    tests+=(--offline --)
    images=$("$here/images")
    worker_image=$(grep chat-worker <<< "$images")
    command -v helm > /dev/null || clients helm
    CLUSTER_PATCHES=$here/kind-faults.yaml "$here/up"
    "$here/load"
    second_version
    "$here/load" backends
    # What a run that was killed may have left.
    [ -z "$stays" ] || remove_all > "$scratch/removed" 2>&1
}
