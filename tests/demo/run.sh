#!/usr/bin/env bash
# Shows ChatSystem on real text: starts it on a fresh data directory, imports the changelogs of this
# machine's packages (or REPO=path, the history of a git repository), counts, searches and reads a page.
#
#   PROFILE  cargo profile of the programs (release)
#   REPO     git repository to take instead of the changelogs
#   WORDS    what to search for
#   DATA     where the data go (a new directory below the system's temporary one)
#   STACK    1: a cluster on real servers, as `make run-stack` starts it, instead of one process
set -euo pipefail
cd "$(dirname "$0")/../.."

profile=${PROFILE:-release}
output=$profile
[ "$profile" = dev ] && output=debug
bin=${CARGO_TARGET_DIR:-target}/$output
for program in standalone:chat-standalone ctl:chatctl demo-data:demo-data; do
  cargo build --quiet --locked --profile "$profile" -p "${program%%:*}" --bin "${program##*:}"
done

if [ -n "${DATA:-}" ]; then
  if [ -e "$DATA" ] && [ -n "$(ls -A "$DATA")" ]; then
    echo "DATA=$DATA is not empty; name a new directory" >&2
    exit 2
  fi
  mkdir -p "$DATA"
else
  DATA=$(mktemp -d "${TMPDIR:-/tmp}/chatsystem-demo.XXXXXX")
fi
lines=$DATA/demo.jsonl
log=$DATA/server.log
chatctl() { "$bin/chatctl" "$@"; }
step() { printf '\n== %s\n' "$1"; }

step "Real text"
if [ -n "${REPO:-}" ]; then
  "$bin/demo-data" --repo "$REPO" > "$lines"
  # A longer word of the newest message.
  words=$(tail -n 1 "$lines" | sed 's/.*"content":"//' | grep -oEm1 '[A-Za-z]{6,}' | head -n 1 || true)
else
  "$bin/demo-data" > "$lines"
  words=segfalt
fi
words=${WORDS:-${words:-fix}}

step "A server"
# Port 0: the system chooses free ones, and the log says which.
export CHAT_LISTEN=127.0.0.1:0 CHAT_ADMIN_LISTEN=127.0.0.1:0 CHAT_LOG=warn
if [ -n "${STACK:-}" ]; then
  # The log says where it listens, and no more.
  NAME=demo-$$ PROFILE=$profile CHAT_LOG=warn,chat_api=info tests/services/run > "$log" 2>&1 &
else
  CHAT_DATA_DIR=$DATA/data "$bin/chat-standalone" > "$log" 2>&1 &
fi
server=$!
stop() {
  if kill -TERM "$server" 2> /dev/null; then
    wait "$server" || true
  fi
}
trap stop EXIT
for _ in $(seq 3000); do
  url=$(sed -n 's/^  API *\(http:\/\/[^/]*\).*/\1/p' "$log")
  [ -n "$url" ] && break
  kill -0 "$server" 2> /dev/null || { cat "$log" >&2; exit 1; }
  sleep 0.1
done
[ -n "$url" ] || { echo "the server did not start within 5 minutes:" >&2; cat "$log" >&2; exit 1; }
export CHATCTL_URL=$url
echo "$url, process $server"
CHATCTL_TOKEN=$(chatctl app create demo | awk '$1 == "token" { print $2 }')
export CHATCTL_TOKEN

step "chatctl import"
started=$SECONDS
chatctl import "$lines"
echo "in $((SECONDS - started)) seconds"

step "chatctl chat list: the first five"
chatctl chat list --limit 5 2> /dev/null

step "chatctl search $words (typos allowed)"
# The index follows the messages within a second: wait until it finds as many as a moment ago.
total() { chatctl --json search --per-page 1 "$words" | grep -o '^{"total":[0-9]*' | cut -d: -f2; }
before=-1
for _ in $(seq 50); do
  now=$(total)
  [ "$now" = "$before" ] && break
  before=$now
  sleep 1
done
chatctl search --per-page 3 "$words" 2>&1

if [ -z "${REPO:-}" ]; then
  step "chatctl search '\"memory leak\" -test' (a phrase, and a word that must not be there)"
  chatctl search --per-page 2 '"memory leak" -test' 2>&1
fi

step "chatctl list --chat 2: a page of messages"
chatctl list --chat 2 --limit 5 2> /dev/null

step "chatctl app show"
chatctl app show

step "The end"
stop
trap - EXIT
if [ -n "${STACK:-}" ]; then
  echo "The data stay on the servers until make stack-down. Look at them again with:"
  echo "  NAME=demo-$$ make run-stack"
else
  echo "The data stay in $DATA: $(du -sh "$DATA/data" | cut -f1)."
  echo "Look at them again with:"
  echo "  CHAT_DATA_DIR=$DATA/data make run"
fi
echo "  CHATCTL_TOKEN=$CHATCTL_TOKEN $bin/chatctl search WORDS"
