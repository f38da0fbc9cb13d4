# shellcheck shell=bash
# Part of e2e, after system.sh and scenarios.sh: charts are upgraded and taken away, and what has to stay stays.
#
# The operator's chart is also rolled back and installed again, beside the ChatSystem acme in the namespace $system, which is
# Ready and must not notice.

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
    helm uninstall chat-operator-crds --namespace chat-operator --wait --timeout 2m > /dev/null
    kubectl --namespace chat-operator wait pods --all --for=delete --timeout=60s > /dev/null
    unchanged "$before" "taking away the operator and the definition's chart"
    kubectl --namespace "$system" get chatsystem/acme ingress/acme-api > /dev/null

    install_operator
    leads "$image"
    mends
    unchanged "$before" "a new installation of the operator"
    await_ready "$system"
    say "the operator was upgraded, rolled back, taken away and installed again, and wrote none of $(grep -c . <<< "$before") children"
}

# of_the_servers: what charts/chat-backends promises to leave, a line each: passwords and data.
of_the_servers() {
    kubectl --namespace "$system" get secrets,persistentvolumeclaims --output json | jq -r '.items[]
        | select(.metadata.labels["app.kubernetes.io/instance"] == "servers") | [.kind, .metadata.name, .metadata.uid, .data] | tostring' | sort
}

# stays BEFORE WHAT: passwords and data are those of before.
stays() {
    [ "$(wc -l <<< "$1")" = 8 ] || { say "four servers should have a Secret and a volume each:"; cut -d, -f1-3 <<< "$1" >&2; return 1; }
    cmp --quiet <(echo "$1") <(of_the_servers) || { say "$2 changed passwords or data"; return 1; }
}

# A changed value starts one of the servers anew.
backends_chart_upgrades() {
    local before pod
    before=$(of_the_servers)
    pod=$(kubectl --namespace "$system" get pod servers-redis-0 --output 'jsonpath={.metadata.uid}')
    install_backends "$system" --reuse-values --set redis.resources.requests.memory=65Mi
    [ "$(kubectl --namespace "$system" get pod servers-redis-0 --output 'jsonpath={.metadata.uid}')" != "$pod" ] \
        || { say "an upgrade with another value left the server as it was"; return 1; }
    stays "$before" "an upgrade of the servers"
    helm test servers --namespace "$system" > /dev/null
    say "the servers were upgraded with the passwords and data they had"
}

backends_chart_is_taken_away() {
    local before
    before=$(of_the_servers)
    helm uninstall servers --namespace "$system" --wait --timeout 3m > /dev/null
    stays "$before" "taking away the servers"
    say "the servers are gone, and their passwords and data are left"
}
