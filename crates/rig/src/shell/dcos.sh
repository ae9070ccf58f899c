#!/bin/sh
# dcos, as far as the guide uses it:
#   dcos marathon pod add FILE | list | show ID | remove ID
#   dcos marathon app add FILE | list | remove ID
#   dcos task [NAME]
#   dcos task exec [-i] [-t] [-it] TASK COMMAND…
set -eu
marathon=@MARATHON@
say() { curl --silent --show-error --fail-with-body "$@"; }

marathon() {
  kind=$1 verb=$2
  shift 2
  case $verb in
    add) say -X POST -H 'Content-Type: application/json' --data-binary "@$1" "$marathon/v2/${kind}s" >/dev/null
         echo "Created $kind from $1" ;;
    list) say "$marathon/v2/${kind}s" ;;
    show) say "$marathon/v2/${kind}s/${1#/}" ;;
    remove) say -X DELETE "$marathon/v2/${kind}s/${1#/}" >/dev/null ;;
    *) echo "dcos marathon $kind: unknown command $verb" >&2; exit 64 ;;
  esac
}

# NAME HOST USER STATE ID, a line for each task.
tasks() {
  say "$marathon/sim/tasks" | python3 -c '
import json, sys
tasks = json.load(sys.stdin)
tasks = tasks["tasks"] if isinstance(tasks, dict) else tasks
for task in sorted(tasks, key=lambda t: t["id"]):
    name = task.get("container") or task["runSpecId"].strip("/")
    pod = "%s-%s-%s" % (task["runSpecId"].strip("/").replace("/", "-"),
                        task["agentIp"].split(".")[2], (task["containerIp"] or "...-").split(".")[3])
    print(name, task["agentIp"], "root", task["state"][5:6], task["id"], pod)'
}

# Runs a command in the namespace of a task, by any part of its id.
execute() {
  while [ "${1#-}" != "$1" ]; do shift; done
  task=$1
  shift
  pod=$(tasks | awk -v part="$task" '$4 == "R" && index($5, part) { print $6; exit }')
  [ -n "$pod" ] || { echo "dcos: no running task has $task in its id" >&2; exit 65; }
  exec "@PODS@/$pod/enter" "$@"
}

case "${1:-}" in
  marathon) shift; marathon "$@" ;;
  task)
    shift
    if [ "${1:-}" = exec ]; then shift; execute "$@"; fi
    tasks | cut -d' ' -f1-5 | { [ $# -gt 0 ] && grep -- "$1" || cat; } | column -t ;;
  *) echo "dcos: this one knows marathon and task" >&2; exit 64 ;;
esac
