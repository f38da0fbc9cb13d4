# shellcheck shell=bash
# For `run`: chat-operator on a Kubernetes without nodes, and one ChatSystem, whose pods are said to run.

kube() { "$kubernetes/kubectl" --kubeconfig "$CONTROL_PLANE_KUBECONFIG" --namespace chat "$@"; }

# secret NAME KEY=VALUE...
secret() {
    local pairs=("${@:2}")
    kube create secret generic "acme-$1" "${pairs[@]/#/--from-literal=}"
}

# The servers are needed for their addresses alone, but for the management API, which tells the backlog.
make_system() {
    kube apply --server-side --filename "$checkout/crds/chatsystem.yaml"
    kube wait --for=condition=Established crd/chatsystems.chatsystem.io --timeout=30s
    kube create namespace chat
    kube create namespace chat-operator
    secret mysql url=mysql://chat:secret@mysql/chat
    secret redis url=redis://redis
    secret elasticsearch url=http://elasticsearch
    secret rabbitmq "url=amqp://chat:secret@rabbitmq/monitoring" \
        "managementUrl=${STACK_RABBITMQ_MANAGEMENT_URL:-http://chat:secret@127.0.0.1:9}"
    kube apply --filename - << 'YAML'
apiVersion: chatsystem.io/v1alpha1
kind: ChatSystem
metadata: {name: acme}
spec:
  version: "0.1.0"
  mysql: {urlSecretRef: {name: acme-mysql}, tls: {mode: Plaintext}}
  redis: {urlSecretRef: {name: acme-redis}, tls: {mode: Plaintext}}
  rabbitmq:
    urlSecretRef: {name: acme-rabbitmq}
    managementURLSecretRef: {name: acme-rabbitmq, key: managementUrl}
    tls: {mode: Plaintext}
  elasticsearch: {urlSecretRef: {name: acme-elasticsearch}, tls: {mode: Plaintext}}
  monitoring: {podMonitor: {enabled: true}}
YAML
}

# What the charts make for the Prometheus Operator, taken by an API server that knows its kinds.
accept_charts() {
    local chart kind flags=()
    kube apply --server-side --filename "$("$here/../cluster/fetch" monitoring)"
    for kind in PodMonitor PrometheusRule; do
        kube wait --for=condition=Established "crd/${kind,,}s.monitoring.coreos.com" --timeout=30s
        flags+=(--api-versions "monitoring.coreos.com/v1/$kind")
    done
    for chart in chat-operator chat-system; do
        helm template try "$checkout/charts/$chart" --namespace chat "${flags[@]}" --values "$checkout/charts/$chart/ci/full-values.yaml" \
            --show-only templates/monitoring.yaml --show-only templates/pod-monitor.yaml 2> /dev/null \
            | kube apply --server-side --dry-run=server --validate=strict --filename -
    done
}

# told KIND NAME STATUS: what a kubelet or a controller would have found out.
told() { kube patch "$1" "$2" --subresource=status --type=merge --patch "{\"status\":$3}"; }

# Every Job has succeeded, every Deployment has its pods, and every CronJob has just ended well.
kubelet() {
    local now kind name wanted
    while kill -0 $$; do
        now=$(date --utc +%Y-%m-%dT%H:%M:%SZ)
        while read -r kind name wanted; do
            case $kind in
                Job) told job "$name" "{\"startTime\":\"$now\",\"completionTime\":\"$now\",\"succeeded\":1,\"uncountedTerminatedPods\":{},\"conditions\":[
                    {\"type\":\"SuccessCriteriaMet\",\"status\":\"True\",\"lastTransitionTime\":\"$now\"},
                    {\"type\":\"Complete\",\"status\":\"True\",\"lastTransitionTime\":\"$now\"}]}" ;;
                Deployment) told deployment "$name" "{\"observedGeneration\":$wanted,\"replicas\":1,\"updatedReplicas\":1,\"readyReplicas\":1,\"availableReplicas\":1}" ;;
                CronJob) told cronjob "$name" "{\"lastScheduleTime\":\"$now\",\"lastSuccessfulTime\":\"$now\"}" ;;
            esac
        done < <(kube get jobs,deployments,cronjobs --output json | jq --raw-output '.items[]
            | select(if .kind == "Job" then .status.conditions == null
                     elif .kind == "Deployment" then .status.observedGeneration != .metadata.generation
                     else .status.lastSuccessfulTime == null end)
            | "\(.kind) \(.metadata.name) \(.metadata.generation)"')
        sleep 1
    done
}

# start_operator: sets `operator`, where it shows its metrics.
start_operator() {
    kubernetes=$("$here/../cluster/fetch" kubernetes)
    operator=127.0.0.1:$("$here/../services/free-port")
    command -v helm > /dev/null || PATH=$PATH:$("$here/../cluster/fetch" helm)
    make_system > "$scratch/system.log" 2>&1 || { say "the API server does not take a ChatSystem"; exit 1; }
    accept_charts > "$scratch/charts.log" 2>&1 || { say "the API server does not take what the charts make"; exit 1; }
    say "the API server takes $(grep -c 'dry run' "$scratch/charts.log") objects of the charts"
    start kubelet kubelet
    start operator env KUBECONFIG="$CONTROL_PLANE_KUBECONFIG" "$bin/chat-operator" run --namespace chat-operator \
        --listen "$operator" --log-format human
    eventually 60 curl --silent --fail --output /dev/null "http://$operator/readyz" || { say "chat-operator is not ready"; exit 1; }
}
