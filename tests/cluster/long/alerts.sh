# shellcheck shell=bash
# A step of e2e-long: every alert of dashboards/*/rules.yaml fires on the cluster for one of the reasons that its page names,
# and clears when the reason is gone, by what the page tells to do. What is done is in reasons.sh.
# shellcheck source=reasons.sh
. "$here/long/reasons.sh"
# Alerts that cannot fire on a cluster, and why. That each alert is here or in reasons.sh tests/it/monitoring.rs judges.
impossible=$checkout/tests/monitoring/absent/on-a-cluster

# hurried: rules for those with little time: alerts wait a thirtieth of what they wait, what is watched over some time is
# watched over a tenth of it, and counts are stale after two minutes, not ten, as they are reconciled no more often than each
# minute. What is watched, and from where on it is too much, stays as it is.
hurried() {
    jq '
        def seconds: capture("^(?<count>[0-9]+)(?<unit>[smh])$") | (.count | tonumber) * {s: 1, m: 60, h: 3600}[.unit];
        {groups: [.items[].spec.groups[] | .rules |= map(
            (if .for then .for |= "\(seconds / 30)s" else . end)
            | .expr |= (gsub("\\[(?<window>[^\\]]+)\\]"; "[\((.window | seconds) / 10)s]") | gsub("> 600(?![0-9])"; "> 120")))]}'
}

alerts() {
    local load group account
    ask_for_monitors
    start_prometheus hurried
    reach=("$here/with")
    eventually 60 asks_every_pod || { say "Prometheus does not ask exactly the pods that there are"; wanted; asked; return 1; } >&2
    account=$(secret "$system" chat-rabbitmq managementUrl)
    management=${account%@*}@$(node_port e2e-management "$(server rabbitmq)" management)
    search=$(node_port e2e-search "$(server elasticsearch)" http)
    ADMIN_KEY=$(secret "$system" chat-admin key) setpriv --pdeathsig TERM "$here/with" "$checkout/tests/monitoring/load" localhost &
    load=$!
    make_application
    eventually 120 nothing_fires || { say "these fire before anything was done: $(firing | tr '\n' ' ')"; return 1; }

    for group in $(of_table 1 | sort -nu); do
        they_fire_and_clear "$group"
    done
    eventually 240 nothing_fires || { say "these fire after everything: $(firing | tr '\n' ' ')"; return 1; }
    kill "$load" || { say "the load ended by itself"; return 1; }
    monitors_go
    eventually 180 is_one_worker || { say "the workers do not come to rest"; return 1; }
    found="$(of_table 3 | wc -w) alerts fired and cleared, $(known_impossible | wc -l) cannot here"
}

# Nothing is left of the monitoring, and the operator is again what install_operator makes.
monitors_go() {
    change '{"monitoring": null}'
    await_ready "$system"
    of_system delete service e2e-management e2e-search
    helm uninstall chat-operator --namespace chat-operator --wait --timeout 2m > /dev/null
    kubectl --namespace chat-operator wait pods --all --for=delete --timeout=60s > /dev/null
    remove_prometheus
    remove_monitors
    install_operator
    await_ready "$system"
}

is_one_worker() { [ "$(of_system get deployment acme-worker-messages --output 'jsonpath={.spec.replicas}/{.status.replicas}')" = 1/1 ]; }

# --- the table ------------------------------------------------------------------------------------------------------------

# of_table FIELD
of_table() { reasons | cut -d'|' -f"$1"; }
known_impossible() { grep -v '^#' "$impossible"; }

firing() { ask alerts | jq --raw-output '.alerts[] | select(.state == "firing") | .labels.alertname' | sort --unique; }
nothing_fires() {
    local now
    now=$(firing) && [ -z "$now" ]
}

# they_fire_and_clear GROUP: prints each alert and how long both took.
they_fire_and_clear() {
    local deed deeds=() alert of_deed why_of_deed now
    # By alert, but for `why`.
    local -A of=() why=() fired=() cleared=() since=()
    while IFS='|' read -r _ deed of_deed why_of_deed; do
        deeds+=("$deed")
        why[$deed]=$why_of_deed
        for alert in $of_deed; do of[$alert]=$deed; done
    done < <(reasons | grep "^$1|")
    now=$(firing)
    for alert in "${!of[@]}"; do
        ! grep -qx "$alert" <<< "$now" || { say "$alert fires before its reason is there"; return 1; }
    done

    for deed in "${deeds[@]}"; do
        say "${why[$deed]}"
        from_now_on "$deed"
        "begin_$deed" > "$scratch/$deed.log"
    done
    eventually 300 all_fired || { unexpected "does not fire" fired; return 1; }
    for deed in "${deeds[@]}"; do
        from_now_on "$deed"
        "end_$deed" > "$scratch/$deed.log"
    done
    eventually 300 all_cleared || { unexpected "does not clear" cleared; return 1; }
    for alert in "${!of[@]}"; do
        say "$alert: fired after ${fired[$alert]} s (${why[${of[$alert]}]}), clear after ${cleared[$alert]} s"
    done
    await_ready "$system"
}

# from_now_on DEED: its alerts have no excuse.
from_now_on() {
    local alert
    for alert in "${!of[@]}"; do
        [ "${of[$alert]}" != "$1" ] || since[$alert]=$SECONDS
    done
}

# Each has fired once: some do not for long.
all_fired() {
    local now alert
    now=$(firing) || return
    for alert in $now; do
        [ -z "${of[$alert]:-}" ] || [ -n "${fired[$alert]:-}" ] || fired[$alert]=$((SECONDS - since[$alert]))
    done
    [ ${#fired[@]} = ${#of[@]} ]
}

all_cleared() {
    local now alert
    now=$(firing) || return
    for alert in "${!of[@]}"; do
        grep -qx "$alert" <<< "$now" || [ -n "${cleared[$alert]:-}" ] || cleared[$alert]=$((SECONDS - since[$alert]))
    done
    [ ${#cleared[@]} = ${#of[@]} ]
}

# unexpected WHAT DONE: of the alerts in `of` those that are not in the array DONE, with what their rules see.
unexpected() {
    local -n done=$2
    local alert
    for alert in "${!of[@]}"; do
        [ -z "${done[$alert]:-}" ] || continue
        say "$alert $1, though this was begun or ended: ${why[${of[$alert]}]}"
        ask rules | jq --compact-output --arg name "$alert" '.groups[].rules[] | select(.name == $name)
            | {query, state, alerts: [.alerts[]? | {labels, state, value, activeAt}]}' >&2
    done
}
