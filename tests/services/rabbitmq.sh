# Part of serve. Several brokers may run at once, all named rabbit@localhost: without Erlang's port mapper a node is
# known by its port alone, and nothing is left behind when it is killed. The name is in the data, so it never changes.
root=$("$here/fetch" trixie)
mkdir -p "$dir/data" "$dir/logs"
{
    echo "listeners.tcp.1 = 127.0.0.1:${ports[0]}"
    echo 'management.tcp.ip = 127.0.0.1'
    echo "management.tcp.port = ${ports[1]}"
    echo 'default_user = chatsystem'
    echo 'default_pass = development'
    echo 'default_user_tags.administrator = true'
    echo 'log.console = true'
    echo 'log.file = false'
    # Depths in the management API are a second old, not five, and memory for the log ahead is for a small machine.
    echo 'collect_statistics_interval = 1000'
    echo 'raft.wal_max_size_bytes = 67108864'
    if [ -n "${ports[3]:-}" ]; then
        echo "listeners.ssl.1 = 127.0.0.1:${ports[3]}"
        echo 'ssl_options.cacertfile = /srv/tls/ca.pem'
        echo 'ssl_options.certfile = /srv/tls/server.pem'
        echo 'ssl_options.keyfile = /srv/tls/server.key'
        echo 'ssl_options.verify = verify_none'
    fi
} > "$dir/rabbitmq.conf"
echo '[{rabbit, [{quorum_tick_interval, 1000}]}].' > "$dir/advanced.config"
echo '[rabbitmq_management].' > "$dir/enabled_plugins"
# For client: it speaks to the node, and listens on no port.
echo "-start_epmd false -erl_epmd_port ${ports[2]} -dist_listen false" > "$dir/ctl_arguments"

export HOME=/srv RABBITMQ_NODENAME=rabbit@localhost RABBITMQ_MNESIA_BASE=/srv/data RABBITMQ_LOG_BASE=/srv/logs
export RABBITMQ_CONFIG_FILE=/srv/rabbitmq.conf RABBITMQ_ADVANCED_CONFIG_FILE=/srv/advanced.config
export RABBITMQ_LOG=-color RABBITMQ_ENABLED_PLUGINS_FILE=/srv/enabled_plugins RABBITMQ_CONF_ENV_FILE=/dev/null
# "Input" is what makes the script become the Erlang machine instead of waiting for it; -noinput takes it back.
export RABBITMQ_ALLOW_INPUT=1
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-noinput -sname rabbit@localhost -start_epmd false
    -erl_epmd_port ${ports[2]} -kernel inet_dist_use_interface {127,0,0,1}"
# Every minute the broker starts a second Erlang machine for the sake of the port mapper, which would outlive the broker.
export ERL_ZFLAGS="-start_epmd false" ERL_CRASH_DUMP_SECONDS=0
command=("$here/inside" "$root" "$dir" /usr/lib/rabbitmq/bin/rabbitmq-server)
