# shellcheck shell=bash
# Part of e2e, after system.sh and scenarios.sh: the operator's chart is upgraded, rolled back, taken away and installed
# again beside the ChatSystem acme in the namespace $system, which is Ready and must not notice.

# children: what the operator made of acme, a line each. What nobody else writes has its version; of the rest, which has a
# status or is scaled, it is told when the operator wrote last.
children() {
    kubectl --namespace "$system" get --show-managed-fields --output json \
        serviceaccounts,configmaps,networkpolicies,services,poddisruptionbudgets,jobs,deployments,cronjobs,horizontalpodautoscalers,ingresses \
        | jq -r '.items[] | select(any(.metadata.ownerReferences[]?; .kind == "ChatSystem" and .name == "acme"))
            | [.kind, .metadata.name, .metadata.uid,
               (if .kind | IN("ServiceAccount", "ConfigMap", "NetworkPolicy", "Service") then .metadata.resourceVersion else
                    .metadata.managedFields[] | select(.manager == "chat-operator" and .operation == "Apply") | .time end)] | @tsv' \
        | sort
}

# leads IMAGE: soon the operator is one pod, with this image, and that holds the Lease.
leads() {
    local pods holder
    for _ in $(seq 60); do
        pods=$(kubectl --namespace chat-operator get pods --selector app.kubernetes.io/name=chat-operator \
            --output 'jsonpath={range .items[*]}{.metadata.name} {.spec.containers[0].image}{"\n"}{end}')
        holder=$(kubectl --namespace chat-operator get lease chat-operator --output 'jsonpath={.spec.holderIdentity}')
        [ "$pods" != "$holder $1" ] || return 0
        sleep 1
    done
    say "the Lease is held by '$holder', and the operator with the image $1 should be alone among these pods: $pods"
    return 1
}

# mends: soon what the operator applies last is there again, so it has been through everything else.
mends() {
    local ingress=(kubectl --namespace "$system" get ingress acme-api --ignore-not-found --output 'jsonpath={.metadata.uid}') before now
    before=$("${ingress[@]}")
    kubectl --namespace "$system" delete ingress acme-api > /dev/null
    for _ in $(seq 60); do
        now=$("${ingress[@]}")
        [ -z "$now" ] || [ "$now" = "$before" ] || return 0
        sleep 1
    done
    say "the operator does not make the Ingress again"
    return 1
}

# unchanged BEFORE WHAT: the children are those of before, but for the Ingress that was mended.
unchanged() {
    diff <(grep -v ^Ingress <<< "$1") <(children | grep -v ^Ingress) >&2 || { say "$2 changed what the operator made"; return 1; }
}

operator_chart_upgrades() {
    local image=${worker_image/-worker:/-operator:} before
    local release=(chat-operator --namespace chat-operator)
    leads "$image"
    before=$(children)
    [ "$(grep -c . <<< "$before")" -ge 15 ] || { say "there are too few children to compare:"; echo "$before" >&2; return 1; }

    helm upgrade "${release[@]}" "$checkout/charts/chat-operator" --reuse-values --wait --timeout 2m --set "image.tag=${image##*:}-next" \
        --set logLevel=debug,resources.limits.memory=160Mi --set-string podTemplate.annotations.upgraded=yes > /dev/null
    leads "$image-next"
    mends
    unchanged "$before" "an upgrade of the operator"

    helm rollback "${release[@]}" --wait --timeout 2m > /dev/null
    leads "$image"
    mends
    unchanged "$before" "a rollback of the operator"

    helm uninstall "${release[@]}" --wait --timeout 2m > /dev/null
    kubectl --namespace chat-operator wait pods --all --for=delete --timeout=60s > /dev/null
    unchanged "$before" "taking away the operator"
    kubectl --namespace "$system" get ingress acme-api > /dev/null

    install_operator
    leads "$image"
    mends
    unchanged "$before" "a new installation of the operator"
    await_ready "$system"
    say "the operator was upgraded, rolled back, taken away and installed again, and wrote none of $(grep -c . <<< "$before") children"
}
