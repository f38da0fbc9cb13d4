# shellcheck shell=bash
# Shared by demo and e2e, after cluster.sh: a ChatSystem on the cluster, by charts and kubectl.

kubectl() { "$here/with" kubectl "$@"; }
helm() { "$here/with" helm "$@"; }

# make_namespace NAME: whose pods may do nothing special.
make_namespace() {
    kubectl create namespace "$1" --dry-run=client --output yaml | kubectl apply --filename -
    kubectl label --overwrite namespace "$1" pod-security.kubernetes.io/enforce=restricted
}

install_backends() {
    helm upgrade --install servers "$checkout/charts/chat-backends" --namespace "$1" "${@:2}" --wait --timeout 5m > /dev/null
    say "MySQL, Redis, RabbitMQ and Elasticsearch are ready"
}

install_operator() {
    helm upgrade --install chat-operator-crds "$checkout/charts/chat-operator-crds" --namespace chat-operator --create-namespace > /dev/null
    kubectl label --overwrite namespace chat-operator pod-security.kubernetes.io/enforce=restricted > /dev/null
    helm upgrade --install chat-operator "$checkout/charts/chat-operator" --namespace chat-operator --wait --timeout 2m > /dev/null
    say "the operator is ready"
}

# secret NAMESPACE NAME KEY
secret() { kubectl --namespace "$1" get secret "$2" --output "jsonpath={.data['${3//./\\.}']}" | base64 --decode; }

# The key that may create applications, made once.
make_admin_key() {
    kubectl --namespace "$1" get secret chat-admin > /dev/null 2>&1 \
        || head -c 24 /dev/urandom | base64 --wrap=0 | tr '+/' '-_' \
        | kubectl --namespace "$1" create secret generic chat-admin --from-file=key=/dev/stdin
}

# tour NAMESPACE HOST: the README's, with the admin key, against the ingress; the search must find the message.
tour() {
    local place=http://$2 directory
    directory=$(mktemp -d)
    {
        echo 'curl() { command curl --fail-with-body --header "Authorization: Bearer $KEY" "$@"; }'
        sed -e '1,/tour:begin/d' -e '/tour:end/,$d' -e '/^```/d' -e "s#http://127.0.0.1:8080#$place#; s/^sleep 3/sleep 10/" "$checkout/README.md"
    } > "$directory/tour"
    grep -q "$place" "$directory/tour" || { say "the tour asks somebody else"; return 1; }
    # The controller learns of an Ingress in a moment.
    "$here/with" curl --silent --fail --retry 30 --retry-delay 1 --retry-all-errors --output /dev/null "$place/openapi.json" \
        || { say "nothing answers at $place"; return 1; }
    (cd "$directory" && KEY=$(secret "$1" chat-admin key) "$here/with" bash -euo pipefail tour > said) \
        || { cat "$directory/said" >&2; say "the tour does not come to its end"; return 1; }
    cat "$directory/said" >&2
    echo >&2
    tail -c 2000 "$directory/said" | grep -q '<em>invoice</em>' || { say "the search did not find the message"; return 1; }
    rm -r "$directory"
    say "the tour ends where the README says"
}

# change SPEC: merged into that of the ChatSystem acme in $system.
change() { kubectl --namespace "$system" patch chatsystem acme --type merge --patch "{\"spec\": $1}"; }

# await_ready NAMESPACE: until its system is as its resource says.
await_ready() {
    local path='{.metadata.generation}/{.status.observedGeneration}/{.status.conditions[?(@.type=="Ready")].status}' now generation
    for _ in $(seq 300); do
        now=$(kubectl --namespace "$1" get chatsystem acme --output "jsonpath=$path")
        generation=${now%%/*}
        [ "$now" != "$generation/$generation/True" ] || return 0
        sleep 1
    done
    kubectl --namespace "$1" get chatsystem,pods >&2
    kubectl --namespace "$1" describe chatsystem >&2
    say "the system does not become ready"
    return 1
}

# await_rest SAMPLES SECONDS: until the last sample says that nothing waits and one worker is left.
await_rest() {
    local deadline=$((SECONDS + $2))
    until [ "$(tail -n 1 "$1" | cut -d' ' -f2-)" = "0 1 1" ]; do
        [ $SECONDS -lt $deadline ] || { say "the workers do not come to rest:"; tail -n 20 "$1" >&2; return 1; }
        sleep 2
    done
}

# watch_workers NAMESPACE: every two seconds a sample for plot: seconds, what waits in the queue of messages, workers wanted
# and ready.
watch_workers() {
    local namespace=$1 port=${WATCH_PORT:-25672} account url workers depth
    url=$(secret "$namespace" chat-rabbitmq managementUrl)
    account=${url#http://} account=${account%@*}
    local started=$SECONDS forwarding=
    while :; do
        # It ends with this, and when nothing answers at its other end.
        if [ -z "$forwarding" ] || ! kill -0 "$forwarding" 2> /dev/null; then
            setpriv --pdeathsig KILL "$here/with" kubectl --namespace "$namespace" port-forward service/servers-rabbitmq "$port:15672" > /dev/null &
            forwarding=$!
        fi
        workers=$(kubectl --namespace "$namespace" get deployment acme-worker-messages --output 'jsonpath={.spec.replicas} {.status.readyReplicas}') || return
        [[ $workers = *' '?* ]] || workers="${workers% } 0"
        depth=$("$here/with" curl --silent --user "$account" "http://127.0.0.1:$port/api/queues/%2f/chat.messages?columns=messages" \
            | jq '.messages // empty') || depth=
        # Right after a start the broker knows nothing yet.
        [ -z "$depth" ] || echo "$((SECONDS - started)) $depth $workers"
        sleep 2
    done
}

# import_messages NAMESPACE COUNT: by chatctl, into 200 chats.
import_messages() {
    local token key programs file
    programs=$(built --quiet -p ctl)
    key=$(secret "$1" chat-admin key)
    chatctl() { CHATCTL_URL=http://localhost CHATCTL_KEY=$key CHATCTL_TOKEN=${token:-} "$here/with" "$programs/chatctl" "$@"; }
    token=$(chatctl app create demo | awk '$1 == "token" { print $2 }')
    file=$(mktemp)
    awk -v count="$2" 'BEGIN { for (i = 0; i < count; i++)
        printf "{\"chat\":{\"name\":\"chat %d\"},\"author\":\"ada\",\"content\":\"message %d of a load that workers have to follow\"}\n", i % 200, i }' > "$file"
    chatctl import "$file" --parallel 32
    rm "$file"
}
