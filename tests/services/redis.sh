# Part of serve. Persistence as Redis has it by default: snapshots into data/dump.rdb, also on SIGTERM.
# A title of its own would be written over its environment, by which it is recognised.
root=$("$here/fetch" trixie)
mkdir -p "$dir/data"
command=("$here/inside" "$root" "$dir" redis-server --bind 127.0.0.1 --port "${ports[0]}" --dir /srv/data
    --daemonize no --set-proc-title no --maxmemory-policy noeviction)
if [ -n "${ports[1]:-}" ]; then
    command+=(--tls-port "${ports[1]}" --tls-auth-clients no --tls-ca-cert-file /srv/tls/ca.pem
        --tls-cert-file /srv/tls/server.pem --tls-key-file /srv/tls/server.key)
fi
