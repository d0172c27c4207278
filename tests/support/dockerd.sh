#!/bin/sh
# Runs a Docker daemon until standard input is closed, which happens at the latest when the process at its other end ends, in
# whatever way. Then stops all containers and removes all files.
#
#     dockerd.sh STATE RUN
#
# STATE is the directory for images and containers. RUN is that for the socket, RUN/docker.sock, whose path must be short.
state=$1 run=$2
PATH=$PATH:/usr/sbin:/sbin
# The standard input of background commands is /dev/null.
exec 3<&0

# Replaces the configuration of the machine.
echo '{}' >"$run/daemon.json"
# The mounts of images and containers disappear with the daemon's mount namespace. The containerd namespaces differ from those
# of a daemon of the machine, in case both use the same containerd.
unshare --mount dockerd --data-root "$state" --exec-root "$run/exec" --pidfile "$run/pid" --host "unix://$run/docker.sock" \
    --group "${SUDO_GID:-0}" --config-file "$run/daemon.json" --iptables=false --ip6tables=false --bridge=none \
    --containerd-namespace "tests-$$" --containerd-plugins-namespace "tests-plugins-$$" --shutdown-timeout 1 \
    </dev/null 3<&- &
daemon=$!
# Ctrl-C ends the tests, which closes standard input.
trap '' INT HUP TERM
{ cat <&3 >/dev/null; kill "$daemon"; } 2>/dev/null &
watch=$!

wait "$daemon"
kill "$watch" 2>/dev/null
rm -rf "$state" "$run"
