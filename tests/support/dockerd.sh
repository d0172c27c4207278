#!/bin/sh
# Runs a Docker daemon for as long as standard input stays open, which is as long as the process at its other end lives,
# however that ends; then stops what runs, and removes every trace.
#
#     dockerd.sh STATE RUN
#
# STATE is the folder of images and containers. RUN holds the socket, RUN/docker.sock, whose path must be short.
state=$1 run=$2
PATH=$PATH:/usr/sbin:/sbin
# A background command has no standard input of its own.
exec 3<&0

# In place of the machine's own configuration.
echo '{}' >"$run/daemon.json"
# The mounts of images and containers end with the daemon's mount namespace. It shares no name with a daemon of the
# machine's, in case both use one containerd.
unshare --mount dockerd --data-root "$state" --exec-root "$run/exec" --pidfile "$run/pid" --host "unix://$run/docker.sock" \
    --group "${SUDO_GID:-0}" --config-file "$run/daemon.json" --iptables=false --ip6tables=false --bridge=none \
    --containerd-namespace "tests-$$" --containerd-plugins-namespace "tests-plugins-$$" --shutdown-timeout 1 \
    </dev/null 3<&- &
daemon=$!
# Ctrl-C goes to the tests, whose end is what counts here.
trap '' INT HUP TERM
{ cat <&3 >/dev/null; kill "$daemon"; } 2>/dev/null &
watch=$!

wait "$daemon"
kill "$watch" 2>/dev/null
rm -rf "$state" "$run"
