# shellcheck shell=bash
# Part of e2e: what is tried on a system that the operator made, the ChatSystem acme in the namespace $system.

# --- who may talk to whom -------------------------------------------------------------------------------------------------

# probe_pod NAMESPACE LABELS: something with a shell, which the network takes for a pod with these labels.
probe_pod() {
    kubectl --namespace "$1" apply --filename - << YAML
apiVersion: v1
kind: Pod
metadata: {name: probe, labels: {$2}}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 999, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: probe
      image: mysql:9
      command: [sleep, infinity]
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
YAML
    kubectl --namespace "$1" wait pod/probe --for=condition=Ready --timeout=60s
}

# attempt NAMESPACE HOST PORT: how the probe there fares with a connection. Packets that no policy lets through are dropped, so
# only silence is a denial: not a refusal, a name that nobody knows, or a probe that cannot be asked.
attempt() {
    local code
    code=$(kubectl --namespace "$1" exec probe -- \
        bash -c "timeout 3 bash -c 'exec 3<> /dev/tcp/$2/$3' 2> /dev/null; echo \$?") || code=
    case $code in
        0) echo reached ;;
        124) echo denied ;;
        *) echo "failed ($code)" ;;
    esac
}

# must_reach, must_not_reach NAMESPACE HOST PORT: soon, as the network learns of new pods in a moment.
must_reach() { fares reached "$@"; }
must_not_reach() { fares denied "$@"; }

# fares reached|denied NAMESPACE HOST PORT
fares() {
    local now
    for _ in $(seq 15); do
        now=$(attempt "${@:2}")
        [ "$now" != "$1" ] || return 0
    done
    say "the probe in $2 should find $3:$4 $1, and it is $now"
    return 1
}

policies_hold() {
    local api controller
    probe_pod "$namespace" 'app: stranger'
    probe_pod "$system" 'app.kubernetes.io/name: chatsystem, app.kubernetes.io/instance: acme, app.kubernetes.io/component: probe'
    api=$(kubectl --namespace "$system" get pods --selector app.kubernetes.io/component=api --output 'jsonpath={.items[0].status.podIP}')
    controller=$(kubectl --namespace ingress get pods --output 'jsonpath={.items[0].status.podIP}')
    must_reach "$namespace" "$api" 8080
    must_not_reach "$namespace" "$api" 8081
    must_reach "$namespace" "$controller" 8000
    must_reach "$system" "servers-mysql.$system.svc" 3306
    must_not_reach "$system" "$controller" 8000
    kubectl --namespace "$namespace" delete pod probe
    kubectl --namespace "$system" delete pod probe
    say "network policies hold, in and out"
}

# What the operator's chart allows: the API server and what answers about systems, not their servers.
policy_of_the_operator_holds() {
    probe_pod chat-operator 'app.kubernetes.io/name: chat-operator, app.kubernetes.io/instance: chat-operator'
    must_reach chat-operator kubernetes.default.svc 443
    must_reach chat-operator "servers-rabbitmq.$system.svc" 15672
    must_not_reach chat-operator "servers-mysql.$system.svc" 3306
    kubectl --namespace chat-operator delete pod probe
    say "the operator's network policy holds"
}

# --- passwords ------------------------------------------------------------------------------------------------------------

# passwords_are_nowhere COUNT: so many there were up to now, as they change. They are in Secrets and nowhere else that people
# look.
passwords_are_nowhere() {
    local place pod run found=
    touch "$scratch/passwords"
    {
        cat "$scratch/passwords"
        for place in chat-mysql/password chat-mysql/migrationPassword chat-redis/password chat-rabbitmq/password \
            chat-elasticsearch/password chat-admin/key; do
            secret "$system" "${place%/*}" "${place#*/}"
            echo
        done
    } | sort --unique --output "$scratch/passwords"
    [ "$(grep -c .......... "$scratch/passwords")" = "$1" ] || { say "there were not $1 passwords to look for"; return 1; }
    for place in "$system" chat-operator; do
        kubectl --namespace "$place" get pods,deployments,replicasets,jobs,cronjobs,statefulsets,services,configmaps,ingresses,networkpolicies,events \
            --output yaml > "$scratch/objects.$place"
        for pod in $(kubectl --namespace "$place" get pods --output name); do
            # Also of a container that was started anew.
            for run in false true; do
                kubectl --namespace "$place" logs --all-containers --ignore-errors --previous=$run "$pod" \
                    > "$scratch/log.$place.${pod#*/}.$run" 2>&1 || true
            done
        done
    done
    kubectl --namespace "$system" get chatsystems --output yaml > "$scratch/objects.chatsystems"
    grep -l --fixed-strings --file "$scratch/passwords" "$scratch"/objects.* "$scratch"/log.* && found=yes
    [ -z "$found" ] || { say "passwords are in the files above"; return 1; }
    say "no password in $(cat "$scratch"/objects.* "$scratch"/log.* | wc -l) lines of objects, events and logs"
}

# --- scaling --------------------------------------------------------------------------------------------------------------

# follow_workers DIRECTORY: the log of each worker for messages that ever was, a file each.
follow_workers() {
    local pod
    while :; do
        for pod in $(kubectl --namespace "$system" get pods --selector app.kubernetes.io/component=worker-messages \
            --field-selector status.phase=Running --output name); do
            [ ! -e "$1/${pod#*/}" ] || continue
            setpriv --pdeathsig KILL "$here/with" kubectl --namespace "$system" logs --follow "$pod" > "$1/${pod#*/}" &
        done
        sleep 1
    done
}

# rabbitmq ERLANG: evaluated by the broker.
rabbitmq() { kubectl --namespace "$system" exec servers-rabbitmq-0 -- rabbitmqctl eval "$1" > /dev/null; }

# of_messages: how many workers there shall be.
of_messages() { kubectl --namespace "$system" get deployment acme-worker-messages --output 'jsonpath={.spec.replicas}'; }

# While nobody can tell what waits, no worker goes: from the first scaling on, longer than it takes to go.
workers_stay_while_nobody_knows() {
    local before now
    for _ in $(seq 120); do
        before=$(of_messages)
        [ "$before" -lt 2 ] || break
        sleep 1
    done
    [ "$before" -ge 2 ] || { say "no worker came whose stay could be seen"; return 1; }
    rabbitmq 'application:stop(rabbitmq_management).'
    kubectl --namespace "$system" wait chatsystem/acme --for=condition=QueueMetricsAvailable=False --timeout=60s > /dev/null
    before=$(of_messages)
    for _ in $(seq 40); do
        now=$(of_messages)
        [ "$now" -ge "$before" ] || { say "of $before workers $now are left while nobody knows what waits"; return 1; }
        sleep 1
    done
    rabbitmq 'application:start(rabbitmq_management).'
    kubectl --namespace "$system" wait chatsystem/acme --for=condition=QueueMetricsAvailable --timeout=60s > /dev/null
    say "$before workers stayed while the management API was away"
}

# Workers come while messages wait and go when none do, and nothing is handed out twice.
workers_follow_the_load() {
    local messages=$1 most received again
    mkdir "$scratch/workers"
    kubectl --namespace "$system" patch chatsystem acme --type merge --patch '{"spec": {"logLevel": "Debug"}}'
    await_ready "$system"
    follow_workers "$scratch/workers" &
    local following=$!
    watch_workers "$system" > "$scratch/samples" &
    local watching=$!
    workers_stay_while_nobody_knows &
    local blind=$!
    import_messages "$system" "$messages"
    wait "$blind"
    await_rest "$scratch/samples" 300
    kill "$following" "$watching"
    most=$(awk '$4 > most { most = $4 } END { print most + 0 }' "$scratch/samples")
    [ "$most" -ge 2 ] || { say "there was never more than one worker"; tail -n 100 "$scratch/samples" >&2; return 1; }
    sed -nE 's/.* received .*message_id="([^"]+)" redelivered=(true|false).*/\1 \2/p' "$scratch"/workers/* | sort > "$scratch/received"
    received=$(wc -l < "$scratch/received")
    # A log that is followed may lack its last lines. Of what it received there then, the next one to get it is told.
    [ $((received * 10)) -ge $((messages * 9)) ] || { say "only $received deliveries were seen in the logs"; return 1; }
    again=$(cut -d' ' -f1 "$scratch/received" | uniq -d; grep ' true$' "$scratch/received") || true
    [ -z "$again" ] || { say "something was handed out twice"; head <<< "$again" >&2; return 1; }
    kubectl --namespace "$system" patch chatsystem acme --type merge --patch '{"spec": {"logLevel": "Info"}}'
    await_ready "$system"
    say "up to $most workers stored $messages messages and went, and $received deliveries were none twice"
}

# --- faults ---------------------------------------------------------------------------------------------------------------

# second_version: the same images under another tag, which nodes have already.
second_version() {
    local node program image
    for node in $("$here/with" kind get nodes --name "$name" 2> /dev/null | grep -v control-plane); do
        for program in api worker operator; do
            image=$(sed "s/-worker:/-$program:/" <<< "$worker_image")
            "$here/with" docker exec "$node" ctr --namespace k8s.io images tag --force "$image" "$image-next" > /dev/null
        done
    done
}

# node_port SERVICE SELECTOR PORT: an address outside of the cluster's network that stays whatever becomes of pods.
node_port() {
    local address
    kubectl --namespace "$system" apply --filename - > /dev/null << YAML
apiVersion: v1
kind: Service
metadata: {name: $1}
spec: {type: NodePort, selector: {$2}, ports: [{port: 80, targetPort: $3}]}
YAML
    address=$(kubectl get node "$name-control-plane" --output 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}'):$(
        kubectl --namespace "$system" get service "$1" --output 'jsonpath={.spec.ports[0].nodePort}')
    # A new Service is known everywhere in a moment.
    "$here/with" curl --silent --max-time 5 --retry 30 --retry-delay 1 --retry-all-errors --output /dev/null "http://$address/" || return
    echo "$address"
}

# try_on_the_system chart|operator TEST: one of tests/it/kubernetes.rs, on the system that the chart or the operator made; what
# it says is in $scratch/said, too.
try_on_the_system() {
    local api management url
    api=$(node_port e2e-api 'app.kubernetes.io/instance: acme, app.kubernetes.io/component: api' http)
    management=$(node_port e2e-management 'app.kubernetes.io/instance: servers, app.kubernetes.io/component: rabbitmq' management)
    url=$(secret "$system" chat-rabbitmq managementUrl)
    E2E_MAKER=$1 E2E_NAMESPACE=$system E2E_API_URL=http://$api E2E_MANAGEMENT_URL=${url%@*}@$management \
        E2E_ADMIN_KEY=$(secret "$system" chat-admin key) RUST_BACKTRACE=0 \
        "$here/with" "${tests[@]}" --nocapture --ignored --exact "kubernetes::$2" 2>&1 | tee "$scratch/said"
    kubectl --namespace "$system" delete --ignore-not-found service/e2e-api service/e2e-management \
        job/acme-explains job/acme-audits > /dev/null
}

# faults_break_no_promise chart|operator: who made the system.
faults_break_no_promise() {
    try_on_the_system "$1" whatever_happens_on_kubernetes_breaks_no_promise
    say "faults broke no promise of a system made by the $1"
}
