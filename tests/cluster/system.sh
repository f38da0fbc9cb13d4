# shellcheck shell=bash
# After cluster.sh: a ChatSystem on the cluster, by charts and kubectl.

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
    (cd "$directory" && KEY=$(secret "$1" chat-admin key) "$here/with" bash -euo pipefail tour > said) \
        || { cat "$directory/said" >&2; say "the tour does not come to its end"; return 1; }
    cat "$directory/said" >&2
    echo >&2
    tail -c 2000 "$directory/said" | grep -q '<em>invoice</em>' || { say "the search did not find the message"; return 1; }
    rm -r "$directory"
    say "the tour ends where the README says"
}
