#!/bin/bash
# Asks a pod or a Service for a path, through the API server, since on most machines only the cluster
# reaches a pod's IP. Prints the answer's body.
#
#   scripts/ask.sh [-n NAMESPACE] [GET|POST|PUT|DELETE] pods/NAME:PORT/PATH
#   scripts/ask.sh [-n NAMESPACE] [GET|POST|PUT|DELETE] services/NAME:PORT/PATH
#
# Without -n it is the current namespace, without a method GET. CONTEXT is the kube context; none: the
# current one. pod/NAME, as kubectl's -o name has it, is understood as well. If the answer is an error,
# or there is none, one sentence says so on stderr, and the exit code is 1.

. "$(dirname "$0")/common.sh"

namespace='' method=get
if [[ ${1:-} = -n || ${1:-} = --namespace ]]; then
  namespace=${2:-}
  [ -n "$namespace" ] || unusable "$1 needs the name of a namespace."
  shift 2
fi
# As kubectl has them.
case ${1:-} in
  GET) shift ;;
  POST) method='create -f -' && shift ;;
  PUT) method='replace -f -' && shift ;;
  DELETE) method=delete && shift ;;
esac
[ $# -eq 1 ] || unusable "There is one thing to ask for, not $#."
asked=$1
[[ $asked =~ ^(pod|service)s?/([^:/]+:[0-9]+)/(.*)$ ]] ||
  unusable "\"$asked\" is neither pods/NAME:PORT/PATH nor services/NAME:PORT/PATH."
path=${BASH_REMATCH[1]}s/${BASH_REMATCH[2]}/proxy/${BASH_REMATCH[3]}

scripts/doctor.sh need kubectl || exit 1
[ -n "$namespace" ] || namespace=$(kubectl config view --minify --output 'jsonpath={..namespace}' 2>/dev/null)
namespace=${namespace:-default}
url=/api/v1/namespaces/$namespace/$path
errors=$(mktemp) || exit 1
# shellcheck disable=SC2064 # the value of now
trap "rm -f '$errors'" EXIT
# At its usual level kubectl keeps to itself what the pod said in an error: 4 shows it.
if body=$(kubectl $method -v=4 --raw "$url" 2>"$errors" </dev/null); then
  # A body may end with a newline or not; what is printed does.
  printf '%s\n' "$body"
  exit
fi

# What kubectl shows is JSON, a member a line.
status=$(sed -n 's/^ *"code": \([0-9]*\).*/\1/p' "$errors" | tail -n 1)
said=$(sed -n '/"reason": "UnexpectedServerResponse"/{
n
s/^ *"message": "\(.*\)".*$/\1/
s/\\"/"/g; s/\\u003c/</g; s/\\u003e/>/g; s/\\u0026/\&/g; s/\\n$//; s/\\n/ /g; s/\\\\/\\/g
p
}' "$errors")
[ -z "$said" ] || fail "$asked answered $status: $said"
why=$(last_line "$(cat "$errors")" | sed -e 's/^Error from server ([A-Za-z]*): //' -e 's/^error: //')
fail "$asked could not be asked in the namespace $namespace: $why"
