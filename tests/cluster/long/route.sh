# shellcheck shell=bash
# Part of e2e-long: the way from outside to the system is an HTTPRoute of the Gateway API instead of an Ingress, and then an
# Ingress again. It is asked for before the cluster knows the kind, and nobody tells the operator that kinds come and go: it
# looks once a minute.

route() {
    local started took_there took_back
    if [ ! -e "$run" ]; then
        found="SKIPPED: Traefik as ingress.yaml starts it knows no Gateways"
        say "$found"
        return
    fi
    expose '{"type": "HTTPRoute", "host": "chat.localhost", "httpRoute": {"parentRefs": [
        {"name": "outside", "namespace": "ingress", "sectionName": "web"}]}}'
    eventually 30 is_told_missing || { say "nobody says that the cluster does not know HTTPRoute"; return 1; }
    [ "$(answer localhost)" = 200 ] || { say "the Ingress went before anything is in its place"; return 1; }

    started=$SECONDS
    install_gateway
    replaced_by httproute ingress
    took_there=$((SECONDS - started))
    is_named chat.localhost
    tour "$system" chat.localhost
    nobody_answers localhost
    nobody_answers www.chat.localhost

    started=$SECONDS
    expose '{"type": "Ingress", "host": "localhost", "httpRoute": null}'
    replaced_by ingress httproute
    took_back=$((SECONDS - started))
    is_named localhost
    tour "$system" localhost
    nobody_answers chat.localhost

    remove_gateway > /dev/null
    still_mends
    found="the HTTPRoute was there after $took_there s and the Ingress again after $took_back s; the tour went through both"
}

# install_gateway: the kinds, and a Gateway that is served by controller/. It takes routes of every namespace.
install_gateway() {
    kubectl apply --server-side --filename "$("$here/fetch" gateway)" > /dev/null
    kubectl wait --for=condition=Established --timeout=30s customresourcedefinition \
        {gatewayclasses,gateways,httproutes}.gateway.networking.k8s.io > /dev/null
    kubectl apply --filename - << YAML
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: controller}
spec: {controllerName: chatsystem.io/controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: outside, namespace: ingress}
spec:
  gatewayClassName: controller
  listeners:
    - {name: web, protocol: HTTP, port: 80, allowedRoutes: {namespaces: {from: All}}}
YAML
}

# expose EXPOSURE
expose() { change "{\"exposure\": $1}"; }

# replaced_by KIND BEFORE: one is there and the other is gone, once the operator has noticed which kinds there are.
replaced_by() {
    kubectl --namespace "$system" wait "$1/acme-api" --for=create --timeout=180s \
        || { say "there is no $1 acme-api"; return 1; }
    kubectl --namespace "$system" wait "$2/acme-api" --for=delete --timeout=60s \
        || { say "the $2 acme-api does not go"; return 1; }
    await_ready "$system"
}

is_told_missing() {
    kubectl --namespace "$system" get chatsystem acme --output 'jsonpath={.status.conditions[?(@.type=="Ready")].message}' \
        | grep -q 'does not know HTTPRoute'
}

# is_named HOST: by the system's status.
is_named() {
    local url
    url=$(kubectl --namespace "$system" get chatsystem acme --output 'jsonpath={.status.url}')
    [ "$url" = "http://$1" ] || { say "the status says '$url' and not 'http://$1'"; return 1; }
}

# nobody_answers HOST: soon it is unknown to whoever has the port.
nobody_answers() {
    eventually 30 is_unknown "$1" || { say "http://$1 is not answered with 404"; return 1; }
}
is_unknown() { [ "$(answer "$1")" = 404 ]; }

# answer HOST: as a number.
answer() { "$here/with" curl --silent --output /dev/null --write-out '%{http_code}' "http://$1/openapi.json"; }

# still_mends: the operator, once it has noticed which kinds are gone.
still_mends() {
    kubectl --namespace "$system" delete ingress acme-api
    kubectl --namespace "$system" wait ingress/acme-api --for=create --timeout=180s \
        || { say "without the kinds of the Gateway API the operator does not make the Ingress again"; return 1; }
    await_ready "$system"
}
