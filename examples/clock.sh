#!/bin/sh
# Says once a second how long it has run and how busy the machine is, and complains on stderr when
# that is too much. Every five minutes it runs down and ends with status 1, so that one can see how
# it is wound up again. Any POSIX shell will do.
#
#     CLOCK_RUNS_FOR=300 sh clock.sh        seconds; 0 is for ever

runs_for=${CLOCK_RUNS_FOR:-300}
seconds=0
trap 'echo "stopped after $seconds s"; exit 0' TERM INT

while :; do
  if [ -r /proc/loadavg ]; then
    read -r load _ </proc/loadavg
  else
    load=$(uptime | awk -F 'averages?: ' '{ split($2, loads, /[ ,]+/); print loads[1] }')
  fi
  echo "tick $seconds, load $load"
  if [ $((seconds % 10)) -eq 0 ]; then
    case $load in
      0.* | 1.*) ;;
      *) echo "the machine is busy: load $load" >&2 ;;
    esac
  fi
  if [ "$runs_for" -gt 0 ] && [ "$seconds" -ge "$runs_for" ]; then
    echo "run down after $seconds s" >&2
    exit 1
  fi
  # A shell hears a signal only while it waits for nothing but a background job.
  sleep 1 &
  wait $!
  seconds=$((seconds + 1))
done
