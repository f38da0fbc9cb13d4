# shellcheck shell=bash
# Sourced by what has a Prometheus: what it is asked, and what must be there. Of whoever sources it this needs `say`, the
# directories `checkout` and `scratch`, and these.
prometheus=      # its address, http://HOST:PORT
management=      # that of RabbitMQ's management API, with an account
reach=()         # the command by which a program reaches both
absent=()        # files with what cannot be there, and why
patience=0       # until when, in SECONDS, what is not there yet may still come
wrong=()         # what was found; `verdict` tells

# eventually SECONDS COMMAND...: until it succeeds; how it then fails is for the caller to say.
eventually() {
    local deadline=$((SECONDS + $1))
    until "${@:2}"; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.2
    done
}

# queries: of every panel, as lines of dashboard, panel and query, tab-separated.
queries() {
    jq --raw-output '.title as $dashboard | .panels[] | .title as $panel | .targets[]?
        | [$dashboard, $panel, .expr] | @tsv' "$checkout"/dashboards/*/*.json
}

# concrete: such lines as Grafana would ask them, for every system.
concrete() {
    # shellcheck disable=SC2016
    sed -e 's/\$__rate_interval/1m/g' -e 's/\$namespace/.*/g' -e 's/\$chatsystem/.*/g'
}

# ask PATH [NAME=VALUE]: what Prometheus answers, as JSON.
ask() {
    "${reach[@]}" curl --silent --fail --get --max-time 10 "$prometheus/api/v1/$1" ${2:+--data-urlencode "$2"} | jq --exit-status .data
}

# has_data QUERY: a series with a value that is a number.
has_data() { ask query "query=$1" | jq --exit-status 'any(.result[]; .value[1] != "NaN")' > /dev/null; }

has_metric() { ask label/__name__/values | jq --exit-status --arg name "$1" 'index($name)' > /dev/null; }

# there WHAT COMMAND...: within a while, unless `absent` says why not; then it must not be there.
there() {
    local reason
    reason=$(awk -v what="$1" '/^#/ {reason = substr($0, 3)} $0 == what {print reason}' /dev/null "${absent[@]}")
    if [ -n "$reason" ]; then
        if "${@:2}"; then wrong+=("$1: it is there, so it has no place in tests/monitoring/absent"); else echo "  absent: $1. $reason"; fi
    elif ! eventually $((patience > SECONDS ? patience - SECONDS : 1)) "${@:2}"; then
        wrong+=("$1: nothing is there")
    fi
}

# Every panel's query and every recording rule returns something, and what alerts ask for is there.
everything_is_there() {
    local dashboard panel query name count=0 names failing
    while IFS=$'\t' read -r dashboard panel query; do
        count=$((count + 1))
        there "$dashboard / $panel" has_data "$query"
    done < <(queries | concrete)
    [ "$count" -gt 0 ] || wrong+=("no panel has a query")
    say "asked $count queries of panels"

    ask rules > "$scratch/rules.json"
    mapfile -t names < <(jq --raw-output '.groups[].rules[] | select(.type == "recording") | .name' "$scratch/rules.json" | sort --unique)
    for name in "${names[@]}"; do there "$name" has_data "$name"; done
    say "asked ${#names[@]} recording rules"

    mapfile -t names < <(jq --raw-output '.groups[].rules[] | select(.type == "alerting") | .query' "$scratch/rules.json" \
        | grep -oP '(?<![:\w])(chat|process)_\w+' | sort --unique)
    [ ${#names[@]} -gt 0 ] || wrong+=("no alert asks for a metric")
    for name in "${names[@]}"; do there "$name" has_metric "$name"; done
    say "asked ${#names[@]} metrics of alerts"

    failing=$(ask rules | jq --raw-output '.groups[].rules[] | select(.health != "ok") | "\(.name): \(.lastError)"')
    [ -z "$failing" ] || wrong+=("$failing")
}

# --- alerts --------------------------------------------------------------------------------------------------------------

fires() { ask alerts | jq --exit-status --arg name "$1" 'any(.alerts[]; .labels.alertname == $name and .state == "firing")' > /dev/null; }
quiet() { ask alerts | jq --exit-status --arg name "$1" 'all(.alerts[]; .labels.alertname != $name or .state != "firing")' > /dev/null; }

# expect fires|quiet ALERT WHEN
expect() {
    if eventually 60 "$1" "$2"; then say "$2: $1 $3"; else wrong+=("$2: not $1 $3"); fi
}

# broker METHOD PATH [JSON]: what the broker's management API is asked for.
broker() {
    "${reach[@]}" curl --silent --show-error --fail --output /dev/null --request "$1" --header Content-Type:application/json \
        ${3:+--data "$3"} "${management%/}/api/$2"
}

# buried_is_told VHOST: of a command that nobody can carry out. It stays in the queue of dead letters.
buried_is_told() {
    quiet ChatCommandsBuried || wrong+=("ChatCommandsBuried fires before anything was set aside")
    broker POST "exchanges/$1/amq.default/publish" \
        '{"properties":{},"routing_key":"chat.messages","payload":"no command","payload_encoding":"string"}'
    expect fires ChatCommandsBuried "once a worker was sent what is no command"
}

# dead_letter_is_told VHOST: of the one that lies there; takes it away.
dead_letter_is_told() {
    expect fires ChatDeadLetters "while that lies in the broker"
    broker DELETE "queues/$1/chat.dead/contents"
    expect quiet ChatDeadLetters "once it is gone"
}

verdict() {
    [ ${#wrong[@]} -gt 0 ] || return 0
    printf 'monitoring: %s\n' "${wrong[@]}" >&2
    return 1
}
