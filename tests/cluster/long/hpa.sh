# shellcheck shell=bash
# Part of e2e-long: a HorizontalPodAutoscaler scales the API by what metrics-server tells, and the operator lets it.

hpa() {
    local load watching most
    install_metrics
    scaled_by_operator 1
    setpriv --pdeathsig KILL "$here/with" kubectl --namespace "$system" get deployment acme-api --watch \
        --output 'jsonpath={.spec.replicas}{"\n"}' > "$scratch/replicas" &
    watching=$!
    change '{"api": {"autoscaling": {"minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 10}}}'
    autoscaler wait --for=create --timeout=60s
    autoscaler wait --for=condition=ScalingActive --timeout=180s || { autoscaler describe >&2; say "the autoscaler has no figures"; return 1; }

    ADMIN_KEY=$(secret "$system" chat-admin key) setpriv --pdeathsig TERM "$here/with" "$checkout/tests/monitoring/load" localhost &
    load=$!
    eventually 300 more_are_ready || { autoscaler describe >&2; say "the autoscaler makes no more pods"; return 1; }
    kubectl --namespace "$system" top pods --selector app.kubernetes.io/component=api >&2
    # So the operator applies the Deployment anew, and looks after everything many times.
    change '{"logLevel": "Debug"}'
    kubectl --namespace "$system" wait chatsystem/acme --for=condition=Progressing --timeout=60s
    kubectl --namespace "$system" wait chatsystem/acme --for=condition=Progressing=False --timeout=300s
    kill "$load" || { say "the load ended by itself"; return 1; }
    kill "$watching"
    only_the_autoscaler_scaled
    most=$(tail -n 1 "$scratch/replicas")

    change '{"logLevel": null}'
    scaled_by_operator 1
    autoscaler wait --for=delete --timeout=60s
    scaled_by_operator null 2
    remove_metrics > /dev/null
    await_ready "$system"
    # shellcheck disable=SC2034
    found="from 1 to $most pods under load while the operator rolled out a change; without autoscaling back to 1, and to 2"
}

# install_metrics: until it tells what pods use.
install_metrics() {
    "$here/load" metrics
    kubectl apply --filename "$here/metrics.yaml" > /dev/null
    kubectl --namespace kube-system rollout status deployment/metrics-server --timeout=120s > /dev/null \
        || { kubectl --namespace kube-system logs deployment/metrics-server --tail 20 >&2; say "metrics-server does not become ready"; return 1; }
    eventually 120 usage_is_told || { kubectl --namespace "$system" top pods; say "nobody tells what pods use"; return 1; }
}
usage_is_told() { kubectl --namespace "$system" top pods > /dev/null 2>&1; }

# autoscaler COMMAND [FLAG...]: by kubectl.
autoscaler() { kubectl --namespace "$system" "$1" horizontalpodautoscaler/acme-api "${@:2}"; }

# scaled_by_operator REPLICAS [DEFAULT]: without an autoscaler, to what the resource says.
scaled_by_operator() {
    local wanted=${2:-$1}
    change "{\"api\": {\"autoscaling\": null, \"replicas\": $1}}"
    kubectl --namespace "$system" wait deployment/acme-api --for=jsonpath='{.spec.replicas}'="$wanted" --timeout=60s \
        || { say "the operator does not scale the API to $wanted"; return 1; }
    kubectl --namespace "$system" rollout status deployment/acme-api --timeout=180s
    await_ready "$system"
}

more_are_ready() {
    local ready
    ready=$(kubectl --namespace "$system" get deployment acme-api --output 'jsonpath={.status.readyReplicas}')
    [ "${ready:-0}" -gt 1 ]
}

# only_the_autoscaler_scaled: while it grew nobody took a pod away, and nobody else wrote how many there are last. What is
# written by way of `scale` may have no writer in the API server's books.
only_the_autoscaler_scaled() {
    local writers
    sort --numeric-sort --check=quiet "$scratch/replicas" || { say "somebody took pods away:"; uniq "$scratch/replicas" >&2; return 1; }
    writers=$(kubectl --namespace "$system" get deployment acme-api --show-managed-fields --output json \
        | jq --raw-output '.metadata.managedFields[] | select(.fieldsV1["f:spec"] | has("f:replicas")?) | .manager')
    [[ -z $writers || $writers = kube-controller-manager ]] || { say "spec.replicas of the API is written by: $writers"; return 1; }
}
