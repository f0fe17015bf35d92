#!/bin/sh
# Asks Lupus for a detection from cron, waits for it, and says by its exit code what came out.
#
#   lupus-detect.sh REQUEST.json [KEY]
#
# REQUEST.json is the body of POST /v1/detections. KEY is the Idempotency-Key: who asks twice with
# one key gets one run. By default it is the file's name and the date, so a second try of the same
# day finds the run of the first.
#
#   LUPUS_URL                        the service (http://127.0.0.1:8700)
#   LUPUS_TOKEN or LUPUS_TOKEN_FILE  who asks
#   LUPUS_FAIL_ON                    least severity that is worth exit code 1 (major)
#   LUPUS_RETRY_SECONDS              how long the service may be away (600)
#   LUPUS_CA_BUNDLE                  certificates of a private authority
#
# 0: fine, and nothing is printed   1: this run found anomalies   2: it failed, or is partial
# 64: the request is refused        69: the service is away
set -eu

[ $# -ge 1 ] && [ -r "$1" ] || { echo "usage: $0 REQUEST.json [KEY]" >&2; exit 64; }
request=$1
key=${2:-$(basename "$1" .json)-$(date -u +%F)}
url=${LUPUS_URL:-http://127.0.0.1:8700}
fail_on=${LUPUS_FAIL_ON:-major}
retry_seconds=${LUPUS_RETRY_SECONDS:-600}
answer=$(mktemp)
trap 'rm -f "$answer" "$answer.why"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ask PATH [CURL'S OPTION...]: the answer into its file; again and again while the service is away.
# The token goes through curl's standard input: arguments of commands can be seen by others.
ask() {
  path=$1
  shift
  pause=1
  give_up=$(($(date +%s) + retry_seconds))
  while :; do
    token=${LUPUS_TOKEN:-}
    [ -z "${LUPUS_TOKEN_FILE:-}" ] || token=$(cat "$LUPUS_TOKEN_FILE")
    status=$(
      printf '%s\n' "${token:+header = \"Authorization: Bearer $token\"}" |
        curl --silent --show-error --config - --connect-timeout 10 --max-time 90 \
          ${LUPUS_CA_BUNDLE:+--cacert "$LUPUS_CA_BUNDLE"} \
          --output "$answer" --write-out '%{http_code}' "$@" "$url$path" 2>"$answer.why"
    ) || status=away
    case $status in
      200 | 202) return ;;
      away | 429 | 502 | 503 | 504) ;;
      *) echo "$url answered $status: $(field detail)" >&2; exit 64 ;;
    esac
    if [ "$(date +%s)" -ge "$give_up" ]; then
      echo "$url is away ($status): $(tail -n 1 "$answer.why")" >&2
      exit 69
    fi
    sleep "$pause"
    pause=$((pause < 30 ? pause * 2 : 30))
  done
}

# field NAME: the first text of that name in the answer.
field() {
  grep -o "\"$1\":\"[^\"]*\"" "$answer" | head -n 1 | cut -d '"' -f 4
}

ask "/v1/detections?wait=50s" --header "Content-Type: application/json" \
  --header "Idempotency-Key: $key" --data-binary "@$request"
run=$(field id)

while :; do
  state=$(field state)
  case $state in
    succeeded) break ;;
    partial | failed | cancelled)
      echo "run $run is $state: $(field error)" >&2
      echo "see $url/v1/detections/$run" >&2
      exit 2
      ;;
  esac
  ask "/v1/detections/$run?wait=50s"
done

ask "/v1/anomalies?run=$run&status=found&min_severity=$fail_on&limit=1"
if grep -q '"items":\[\]' "$answer"; then exit 0; fi
echo "run $run found anomalies of $fail_on or worse" >&2
echo "see $url/v1/anomalies?run=$run" >&2
exit 1
