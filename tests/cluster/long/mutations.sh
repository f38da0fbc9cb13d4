# shellcheck shell=bash
# Part of e2e-long: MUTATIONS=2000 changes of the ChatSystem acme in the namespace $system, with an operator that dies again and
# again. A run that was ended goes on at the last hundred, which is noted with its seed.

mutations() {
    local noted=$checkout/target/e2e-long/mutations programs
    # Of other code nobody knows whether it would have come so far.
    mkdir -p "$noted"
    [[ $commit != *-changed ]] || rm -f "$noted/$commit"
    programs=$(built --quiet -p operator)
    make_namespace "$namespace"
    MUTATIONS=${MUTATIONS:-2000} E2E_NOTED=$noted/$commit E2E_OPERATOR=$programs/chat-operator E2E_EMPTY_NAMESPACE=$namespace \
        find_out mutations::a_system_that_was_changed_many_times_is_as_a_new_one
    # Another run is another campaign.
    rm "$noted/$commit"
}
