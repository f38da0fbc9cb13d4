# shellcheck shell=bash
# Shared by the scripts beside it: where rules and dashboards are, and the programs that judge them.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(realpath "$here/../..")

say() { echo "monitoring: $*" >&2; }

# Prometheus and promtool that are installed, or Debian's.
if ! command -v prometheus > /dev/null || ! command -v promtool > /dev/null; then
    PATH=$("$here/../services/fetch" prometheus):$PATH
fi
"$here/../services/fetch" --need jq:jq curl:curl

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
