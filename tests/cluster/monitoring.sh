# shellcheck shell=bash
# Part of e2e: a Prometheus on the cluster, asked what tests/monitoring/run asks of one beside programs without a cluster.
# shellcheck source=../monitoring/judge.sh
. "$checkout/tests/monitoring/judge.sh"

# prometheus_sees_everything: of the ChatSystem acme in $system and of the operator, through their network policies.
prometheus_sees_everything() {
    local started=$SECONDS load
    # A limit to the rate, so that something is refused.
    ask_for_monitors '{"rateLimit": {"enabled": true, "createsPerSecond": 1}}'
    start_prometheus at_once
    reach=("$here/with")
    eventually 30 asks_every_pod || { say "Prometheus does not ask exactly the pods that there are"; wanted; asked; return 1; } >&2
    say "Prometheus asks $(ask targets | jq '.activeTargets | length') pods, as PodMonitors say"

    # Its own time is at night.
    kubectl --namespace "$system" create job e2e-audit --from=cronjob/acme-audit
    ADMIN_KEY=$(secret "$system" chat-admin key) setpriv --pdeathsig TERM "$here/with" "$checkout/tests/monitoring/load" localhost &
    load=$!
    absent=("$checkout/tests/monitoring/absent/in-cron-jobs")
    patience=$((SECONDS + 60))
    everything_is_there
    management=$(secret "$system" chat-rabbitmq managementUrl)
    management=${management%@*}@$(node_port e2e-management 'app.kubernetes.io/instance: servers, app.kubernetes.io/component: rabbitmq' management)
    quiet ChatDeadLetters || wrong+=("ChatDeadLetters fires before there was one")
    buried_is_told %2f
    dead_letter_is_told %2f
    kill "$load" || wrong+=("the load ended by itself")
    verdict || { kubectl --namespace monitoring logs deployment/prometheus --tail 20 >&2; return 1; }

    kubectl --namespace "$system" patch chatsystem acme --type merge --patch \
        '{"spec": {"monitoring": null, "api": {"rateLimit": {"enabled": false, "createsPerSecond": null}}}}'
    remove_prometheus
    await_ready "$system"
    say "Prometheus found the pods, and every panel, rule and metric, after $((SECONDS - started)) s"
}

# remove_monitors: only once the operator is gone, which believes for a minute that they are there.
remove_prometheus() { kubectl delete --ignore-not-found --filename "$here/monitoring.yaml" > /dev/null; }
remove_monitors() {
    kubectl delete --ignore-not-found customresourcedefinition podmonitors.monitoring.coreos.com prometheusrules.monitoring.coreos.com
}

# --- what is asked --------------------------------------------------------------------------------------------------------

# ask_for_monitors [API]: the kinds of the Prometheus Operator, and what charts and operator then make of them, as
# docs/operations.md has it. Changes the API of the system by the way.
ask_for_monitors() {
    local api='{}'
    [ $# = 0 ] || api=$1
    kubectl apply --server-side --filename "$("$here/fetch" monitoring)" > /dev/null
    kubectl wait --for=condition=Established --timeout=30s \
        crd/podmonitors.monitoring.coreos.com crd/prometheusrules.monitoring.coreos.com > /dev/null
    helm upgrade chat-operator "$checkout/charts/chat-operator" --namespace chat-operator --reuse-values --set podMonitor.enabled=true \
        --set-json 'networkPolicy.metricsFrom=[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]' > /dev/null
    # One that runs asks once a minute which kinds there are, a new one at once.
    kubectl --namespace chat-operator rollout restart deployment/chat-operator
    kubectl --namespace chat-operator rollout status deployment/chat-operator --timeout=60s
    kubectl --namespace "$system" patch chatsystem acme --type merge --patch \
        '{"spec": {"monitoring": {"podMonitor": {"enabled": true}}, "api": '"$api"'}}'
    kubectl --namespace "$system" wait podmonitor/acme --for=create --timeout=60s
    await_ready "$system"
}

# scrapes: of a list of PodMonitors, the configuration that the Prometheus Operator makes of them. It knows more fields than
# ours have, so another one is an error here.
scrapes() {
    jq '
        def sanitized: gsub("[^a-zA-Z0-9_]"; "_");
        def only($known): if keys - $known == [] then . else error("no translation of \(keys - $known)") end;
        def scrape($monitor; $index):
            only(["honorLabels", "path", "port", "relabelings"]) | ($monitor.metadata | "\(.namespace)/\(.name)") as $job | {
                job_name: "podMonitor/\($job)/\($index)",
                honor_labels: (.honorLabels // false),
                metrics_path: .path,
                kubernetes_sd_configs: [{role: "pod", namespaces: {names: [$monitor.metadata.namespace]}}],
                relabel_configs: [
                    {action: "drop", source_labels: ["__meta_kubernetes_pod_phase"], regex: "(Failed|Succeeded)"},
                    ($monitor.spec.selector.matchLabels | to_entries[] | {
                        action: "keep", regex: "(\(.value));true",
                        source_labels: ["__meta_kubernetes_pod_label_\(.key | sanitized)", "__meta_kubernetes_pod_labelpresent_\(.key | sanitized)"]}),
                    {action: "keep", source_labels: ["__meta_kubernetes_pod_container_port_name"], regex: .port},
                    {source_labels: ["__meta_kubernetes_namespace"], target_label: "namespace"},
                    {source_labels: ["__meta_kubernetes_pod_container_name"], target_label: "container"},
                    {source_labels: ["__meta_kubernetes_pod_name"], target_label: "pod"},
                    {target_label: "job", replacement: $job},
                    {target_label: "endpoint", replacement: .port},
                    (.relabelings[]? | only(["action", "sourceLabels", "targetLabel"])
                        | {action: (.action // "replace"), source_labels: .sourceLabels, target_label: .targetLabel})]};
        {
            # A process waits a second for its servers before it says that one does not answer.
            global: {scrape_interval: "2s", scrape_timeout: "2s", evaluation_interval: "1s"},
            rule_files: ["/etc/prometheus/rules.json"],
            scrape_configs: [.items[] | . as $monitor | .spec | only(["podMetricsEndpoints", "selector"])
                | .podMetricsEndpoints | to_entries[] | .key as $index | .value | scrape($monitor; $index)]
        }'
}

# at_once: the rules of a list of PrometheusRules. Alerts fire as soon as what they wait for is there.
at_once() { jq '{groups: [.items[].spec.groups[] | .rules |= map(if .for then .for = "1s" else . end)]}'; }

# start_prometheus RULES: with the rules that RULES makes of a list of PrometheusRules. Sets `prometheus`, its address.
start_prometheus() {
    "$here/load" prometheus
    remove_prometheus
    make_namespace monitoring
    kubectl get podmonitors --all-namespaces --output json | scrapes > "$scratch/prometheus.json"
    kubectl get prometheusrules --all-namespaces --output json | "$1" > "$scratch/rules.json"
    kubectl --namespace monitoring create configmap prometheus --from-file="$scratch/prometheus.json" --from-file="$scratch/rules.json"
    kubectl apply --filename "$here/monitoring.yaml" > /dev/null
    kubectl --namespace monitoring rollout status deployment/prometheus --timeout=60s \
        || { kubectl --namespace monitoring describe pods; kubectl --namespace monitoring logs deployment/prometheus; return 1; } >&2
    prometheus=http://$(system=monitoring node_port prometheus 'app: prometheus' web)
}

# wanted: the pods that have metrics, as Prometheus should know them.
wanted() {
    kubectl get pods --all-namespaces --field-selector status.phase=Running --output json | jq --compact-output '
        [.items[] | select(any(.spec.containers[].ports[]?; .name == "admin")) | .metadata
            | {namespace, pod: .name} + (.labels | if .["app.kubernetes.io/name"] == "chatsystem"
                then {chatsystem: .["app.kubernetes.io/instance"], component: .["app.kubernetes.io/component"]} else {} end)]
        | sort_by(.namespace, .pod)'
}

# asked: those that answer it.
asked() {
    ask targets | jq --compact-output '
        [.activeTargets[] | select(.health == "up") | .labels | {namespace, pod, chatsystem, component} | del(..|nulls)] | sort_by(.namespace, .pod)'
}

asks_every_pod() {
    local pods
    pods=$(wanted)
    jq --exit-status --null-input --argjson wanted "$pods" --argjson asked "$(asked)" '$wanted == $asked and ($wanted | length > 4)' > /dev/null
}
