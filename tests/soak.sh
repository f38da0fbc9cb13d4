#!/usr/bin/env bash
# soak.sh MINUTES: load and random kills on a cluster for so long, then a judgement; the last line sums it up.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-2}
summary=$(mktemp "${TMPDIR:-/tmp}/chatsystem-soak.XXXXXX")
trap 'rm -f "$summary"' EXIT
# As `make test` does it, so that nothing is built twice.
SOAK_MINUTES=$minutes cargo test --locked --workspace --features api/cluster,worker/cluster,api/otlp,worker/otlp --test it \
    -- --ignored --nocapture soak | tee "$summary"
commit=$(git rev-parse --short HEAD)
git diff --quiet HEAD || commit+=' with changes'
echo "soak of $minutes minutes, $(date -u +%F), commit $commit: $(sed -n 's/^soaked: //p' "$summary")"
