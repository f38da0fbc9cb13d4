# shellcheck shell=bash
# For alerts.sh: for what reasons alerts fire, and how each is brought about and taken away.

# For each reason: the group of reasons that are there at the same time, its name here, the alerts that it must raise, and what
# it is. begin_NAME brings it about, end_NAME takes it away, in the order of the table.
reasons() {
    cat << 'TABLE'
1|database_away|ChatRequestsFail ChatServerUnreachable ChatSystemNotReady ChatReplicasMissing ChatBatchesFail ChatReconciliationStale|MySQL is away while clients write and read
2|queues_unseen|ChatAutoscalerBlind|the broker's management API is away
2|metrics_refused|ChatMetricsMissing|a NetworkPolicy keeps Prometheus from a new pod
3|nonsense|ChatCommandsBuried ChatDeadLetters|what is no command is in a queue
3|pipeline_lost|ChatIndexRefuses|the index has a pipeline that is not there
3|files_limited|ChatFilesRunOut|a worker may open few more files than it has
3|count_wrong|ChatAuditFails|somebody changed a count in the database
4|table_locked|ChatRequestsSlow ChatBacklogGrows|somebody locks the table of messages while clients write and read
5|rights_lost|ChatOperatorFails|the operator's role is not bound any more
5|restarted|ChatProcessRestarts|a worker is killed three times
6|operator_gone|ChatOperatorDown|the operator has no pod
7|migration_refused|ChatMigrationFails|the account that migrates has another password
8|rollout_stuck|ChatVersionsMixed|a version has no image for the API
TABLE
}

# --- what they need -------------------------------------------------------------------------------------------------------

of_system() { kubectl --namespace "$system" "$@"; }
server() { echo "app.kubernetes.io/instance: servers, app.kubernetes.io/component: $1"; }

# sql STATEMENT: by the database's root.
sql() {
    # shellcheck disable=SC2016
    of_system exec servers-mysql-0 -- bash -c 'MYSQL_PWD=$(cat /run/secrets/root-password) exec mysql --user=root --execute="$1" chat' sql "$1"
}

elasticsearch() {
    "$here/with" curl --silent --fail --max-time 10 --user "elastic:$(secret "$system" chat-elasticsearch password)" \
        --request "$1" --header Content-Type:application/json ${3:+--data "$3"} "http://$search/$2"
}

# as_client ARGUMENT...: becomes a curl with the key, which dies with this script.
as_client() {
    exec setpriv --pdeathsig TERM "$here/with" curl --silent --max-time 20 --header "Authorization: Bearer $key" \
        --header Content-Type:application/json "$@"
}

# Sets `application`, its address, and `key`. It has a chat.
make_application() {
    local token
    key=$(secret "$system" chat-admin key)
    token=$(as_client --retry 10 --retry-all-errors --data '{"name": "alerts"}' http://localhost/api/v1/applications | jq --raw-output --exit-status .token)
    application=http://localhost/api/v1/applications/$token
    (as_client --fail --output /dev/null --data '{"name": "alerts"}' "$application/chats")
}

# readers COUNT: as many clients that read on and on, five times a second at most; `clients` holds their processes.
readers() {
    local count
    for count in $(seq "$1"); do
        as_client --rate 5/s --output /dev/null "$application/chats/1/messages#[1-100000]" > /dev/null 2>&1 &
        clients+=($!)
    done
}

# writers COUNT: as many that write, fifteen messages a second at most.
writers() {
    local count
    for count in $(seq "$1"); do
        as_client --rate 15/s --output /dev/null --data '{"content": "one of many"}' "$application/chats/1/messages#[1-100000]" > /dev/null 2>&1 &
        clients+=($!)
    done
}

# They may have ended by themselves.
clients_go() {
    kill "${clients[@]}" 2> /dev/null || true
    clients=()
}

# container COMPONENT: pod, node and container of its first pod.
container() {
    of_system get pods --selector "app.kubernetes.io/component=$1" --output \
        'jsonpath={.items[0].metadata.name} {.items[0].spec.nodeName} {.items[0].status.containerStatuses[0].containerID}{"\n"}' | sed 's#containerd://##'
}

# on_node NODE COMMAND...
on_node() { "$here/with" docker exec "$@"; }
# with_limits NODE COMMAND...: as the user of our images, who may change the limits of his own processes.
with_limits() { on_node --user 65532:65532 "$@"; }

# process NODE CONTAINER: its number on the node.
process() { on_node "$1" ctr --namespace k8s.io tasks list | awk -v id="$2" '$1 == id { print $2 }' | grep .; }

# --- what is done ---------------------------------------------------------------------------------------------------------

begin_database_away() {
    of_system scale statefulset servers-mysql --replicas=0
    of_system wait pod/servers-mysql-0 --for=delete --timeout=90s
    readers 4
    writers 2
}
end_database_away() {
    clients_go
    of_system scale statefulset servers-mysql --replicas=1
}

begin_queues_unseen() { rabbitmq 'application:stop(rabbitmq_management).'; }
end_queues_unseen() { rabbitmq 'application:start(rabbitmq_management).'; }

begin_restarted() {
    kill_worker_thrice &
    killing=$!
}
end_restarted() { wait "$killing"; }

# Each time Prometheus must have seen it before.
kill_worker_thrice() {
    local pod count
    read -r pod _ < <(container worker-chats)
    for count in 1 2 3; do
        eventually 30 kill_worker || { say "the worker cannot be killed"; return 1; }
        eventually 90 has_data "changes(process_start_time_seconds{pod=\"$pod\"}[3m]) >= $count" \
            || { say "the worker does not start again after kill $count"; return 1; }
    done
}
kill_worker() {
    local node id
    read -r _ node id < <(container worker-chats)
    on_node "$node" ctr --namespace k8s.io tasks kill --signal SIGKILL "$id" 2> /dev/null
}

# Connections that are there may stay, as many networks have it.
begin_metrics_refused() {
    change '{"networkPolicy": {"metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "nobody"}}}]}}'
    eventually 60 metrics_are_refused || { say "the operator does not change its NetworkPolicies"; return 1; }
    of_system delete "$(of_system get pods --selector app.kubernetes.io/component=api --output name | head -n 1)"
}
metrics_are_refused() { of_system get networkpolicies --output json | grep -q '"kubernetes.io/metadata.name": "nobody"'; }
end_metrics_refused() { change '{"networkPolicy": null}'; }

begin_nonsense() {
    broker POST exchanges/%2f/amq.default/publish \
        '{"properties":{},"routing_key":"chat.messages","payload":"no command","payload_encoding":"string"}'
}
end_nonsense() { broker DELETE queues/%2f/chat.dead/contents; }

# The load goes on, so there are documents to refuse.
begin_pipeline_lost() { elasticsearch PUT chat-messages/_settings '{"index.final_pipeline": "gone"}'; }
end_pipeline_lost() { elasticsearch PUT chat-messages/_settings '{"index.final_pipeline": null}'; }

begin_files_limited() {
    local id open
    read -r _ limited_node id < <(container worker-chats)
    limited_process=$(process "$limited_node" "$id")
    files_before=$(with_limits "$limited_node" prlimit --pid "$limited_process" --nofile --noheadings --output SOFT)
    open=$(ask query 'query=max(process_open_fds{component="worker-chats"})' | jq --raw-output '.result[0].value[1]')
    with_limits "$limited_node" prlimit --pid "$limited_process" "--nofile=$((open * 115 / 100 + 1)):"
}
end_files_limited() { with_limits "$limited_node" prlimit --pid "$limited_process" "--nofile=${files_before// /}:"; }

begin_count_wrong() {
    sql 'INSERT INTO count_ledger (kind, app_id, chat_number, n) SELECT 1, app_id, chat_number, 7 FROM messages LIMIT 1'
    change '{"audit": {"schedule": "* * * * *"}}'
}
# What the index refused is mended by the way. Where there was something to mend an audit fails.
end_count_wrong() {
    local told
    told=$(of_system exec deployment/acme-worker-messages -- chat-worker audit --repair 2>&1) || true
    grep -q 'counted .*, there are' <<< "$told" || { echo "$told"; say "an audit does not find the wrong count"; return 1; } >&2
}

# Messages are accepted all the same, so the queue grows.
begin_table_locked() {
    sql "LOCK TABLES messages WRITE; $locked" > /dev/null 2>&1 &
    readers 6
    writers 2
}
end_table_locked() {
    clients_go
    sql "$(sql "SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE info = '$locked'" | tail -n 1)"
}
locked='SELECT SLEEP(900)'

# With something to do for the operator. Its chart has the right roles.
begin_rights_lost() {
    kubectl delete clusterrolebinding chat-operator
    of_system delete poddisruptionbudgets --selector app.kubernetes.io/instance=acme
}
end_rights_lost() {
    helm upgrade chat-operator "$checkout/charts/chat-operator" --namespace chat-operator --reuse-values --wait --timeout 2m
    eventually 120 budgets_are_back || { say "the operator does not make what was deleted again"; return 1; }
}
budgets_are_back() { of_system get poddisruptionbudgets --selector app.kubernetes.io/instance=acme --output name | grep -q .; }

begin_operator_gone() { kubectl --namespace chat-operator scale deployment chat-operator --replicas=0; }
end_operator_gone() {
    kubectl --namespace chat-operator scale deployment chat-operator --replicas=1
    kubectl --namespace chat-operator rollout status deployment/chat-operator --timeout=90s
}

begin_migration_refused() {
    migration_url=$(secret "$system" chat-mysql migrationUrl)
    set_migration_url "${migration_url/chat_migrate:/chat_migrate:not-}"
}
end_migration_refused() { set_migration_url "$migration_url"; }
set_migration_url() { of_system patch secret chat-mysql --patch "{\"stringData\": {\"migrationUrl\": \"$1\"}}"; }

# The workers come with another version, and the API cannot follow.
begin_rollout_stuck() {
    make_other_version
    change "{\"version\": \"$other_version\"}"
}
end_rollout_stuck() {
    local node
    change "{\"version\": \"$version\"}"
    await_ready "$system"
    for node in $(workers_nodes); do
        on_node "$node" ctr --namespace k8s.io images rm "${worker_image%:*}:$other_version" > /dev/null
    done
}

# make_other_version: an image of workers that are of another version in nothing but what they say of it. Sets `version`
# and `other_version`.
make_other_version() {
    local node id tree=$scratch/other-version
    version=${worker_image##*:}
    other_version=${version%?}9
    [ "$other_version" != "$version" ] || other_version=${version%?}8
    read -r _ node id < <(container worker-chats)
    mkdir "$tree"
    on_node "$node" tar --create --file - --one-file-system --directory "/proc/$(process "$node" "$id")/root" . | tar --extract --file - --directory "$tree"
    LC_ALL=C sed -i "s/${version//./\\.}/$other_version/g" "$tree/usr/local/bin/chat-worker"
    need zstd:zstd
    "$here/archive" "$scratch/other-version.tar" "${worker_image%:*}:$other_version" \
        '{"User": "65532:65532", "WorkingDir": "/", "Entrypoint": ["/usr/local/bin/chat-worker"]}' "$tree"
    "$here/with" kind load image-archive --name "$name" --nodes "$(workers_nodes | paste -sd,)" "$scratch/other-version.tar"
}
workers_nodes() { "$here/with" kind get nodes --name "$name" 2> /dev/null | grep -v control-plane; }
