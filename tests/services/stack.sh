# Shared by up and down: where a checkout keeps its stack, and what can be asked of servers.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(realpath "$here/../..")
# Not where cargo builds: that may be shared by checkouts, a stack is not.
state=$(realpath -m "$checkout/target")/stack
env_file=$(realpath -m "$checkout/target")/stack.env
services=(mysql mariadb redis rabbitmq elasticsearch)

say() { echo "stack: $*"; }

# One `up` or `down` at a time in a checkout.
lock_checkout() {
    mkdir -p "$checkout/target"
    exec 8> "$checkout/target/stack.lock"
    flock 8
}

# processes DIR: all that serve or served DIR, with their children. By a name in the environment that only `serve`
# gives, so that a number in a stale file cannot point to somebody else's process.
processes() {
    grep -lzxsF "CHATSYSTEM_SERVICE_DIR=$1" /proc/[0-9]*/environ | cut -d/ -f3 || true
}

# running DIR: does the process in DIR/pid still serve DIR?
running() {
    local pid
    pid=$(cat "$1/pid" 2> /dev/null) && grep -qzxsF "CHATSYSTEM_SERVICE_DIR=$1" "/proc/$pid/environ"
}

# end DIR: kills at once; what is kept of the data is what survives a crash.
end() {
    local pids
    for _ in $(seq 100); do
        pids=$(processes "$1")
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086
        kill -KILL $pids 2> /dev/null || true
        sleep 0.05
    done
    say "these processes do not end: $pids" >&2
    return 1
}

# ask HOST:PORT BYTES COUNT: sends BYTES, prints COUNT bytes of the answer in hexadecimal.
ask() {
    timeout 3 bash -c '
        exec 3<> "/dev/tcp/${1%:*}/${1##*:}" || exit 1
        printf "$2" >&3
        head -c "$3" <&3 | od -An -v -tx1 | tr -d " \n"' ask "$1" "$2" "$3" 2> /dev/null
}

# place URL: HOST:PORT
place() {
    local rest=${1#*://} port
    rest=${rest%%[/?]*}
    rest=${rest##*@}
    case $1 in
        mysql:*) port=3306 ;; redis:* | rediss:*) port=6379 ;; amqp:*) port=5672 ;; amqps:*) port=5671 ;;
        http:*) port=80 ;; https:*) port=443 ;;
    esac
    case $rest in *:*) echo "$rest" ;; *) echo "$rest:$port" ;; esac
}

# answers URL [PATH]: is a server there that takes requests? PATH is what an HTTP server gets asked for.
answers() {
    local answer
    case $1 in
        # The greeting of protocol version 10.
        mysql:*) answer=$(ask "$(place "$1")" '' 5) && [ "${answer:8}" = 0a ] ;;
        # +PONG, or -NOAUTH: then the password comes later.
        redis:*) answer=$(ask "$(place "$1")" 'PING\r\n' 5) && [[ $answer = 2b504f4e47 || $answer = 2d4e4f4155 ]] ;;
        # A method frame on channel 0.
        amqp:*) answer=$(ask "$(place "$1")" 'AMQP\x00\x00\x09\x01' 3) && [ "$answer" = 010000 ] ;;
        rediss:* | amqps:*) timeout 3 bash -c 'exec 3<> "/dev/tcp/${1%:*}/${1##*:}"' connect "$(place "$1")" 2> /dev/null ;;
        http:* | https:*) curl -sfk --max-time 3 -o /dev/null "${1%/}/$2" ;;
        *) return 1 ;;
    esac
}

# compose ARGUMENT...: Docker's, for the stack of this checkout.
compose() {
    local mysql mariadb redis rabbitmq elasticsearch
    read -ra mysql < "$state/mysql.ports"
    read -ra mariadb < "$state/mariadb.ports"
    read -ra redis < "$state/redis.ports"
    read -ra rabbitmq < "$state/rabbitmq.ports"
    read -ra elasticsearch < "$state/elasticsearch.ports"
    STACK_MYSQL_PORT=${mysql[0]} STACK_MARIADB_PORT=${mariadb[0]} \
        STACK_REDIS_PORT=${redis[0]} STACK_REDIS_TLS_PORT=${redis[1]} \
        STACK_RABBITMQ_PORT=${rabbitmq[0]} STACK_RABBITMQ_MANAGEMENT_PORT=${rabbitmq[1]} STACK_RABBITMQ_TLS_PORT=${rabbitmq[3]} \
        STACK_ELASTICSEARCH_PORT=${elasticsearch[0]} STACK_TLS_DIR=$state/tls \
        docker compose --project-name "$(cat "$state/project")" \
        --file "$checkout/compose.yaml" --file "$here/compose.tls.yaml" "$@" 8>&-
}
