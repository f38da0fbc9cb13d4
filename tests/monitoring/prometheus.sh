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

# shellcheck source=judge.sh
. "$here/judge.sh"
