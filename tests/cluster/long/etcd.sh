# shellcheck shell=bash
# Part of e2e-long: the cluster's etcd is restored from a backup beneath the ChatSystem acme in the namespace $system.

etcd() {
    local tools tool
    tools=$("$here/fetch" etcdctl)
    for tool in etcdctl etcdutl; do "$here/with" docker cp "$tools/$tool" "$name-control-plane:/usr/local/bin/$tool"; done
    find_out etcd::a_cluster_that_is_restored_from_a_backup_breaks_no_promise
}
