#!/bin/bash
# `guest.sh ARCH FOLDER`: unpacks into a folder what `make test-cgroup2` boots and runs beside both services, from Debian's
# packages for amd64 or arm64: a kernel, busybox, and unshare with its library. It installs nothing, needs no root, and
# leaves this machine's apt as it is, whose sources have to be Debian's.

. "$(dirname "$0")/common.sh"
[ $# -eq 2 ] || unusable "There is no $0 \"$*\"."
set -e
mkdir -p "$2/apt/lists/partial"
cd "$2"

# apt for another architecture, with lists of its own.
settings=(-o APT::Architecture="$1" -o APT::Architectures="$1" -o Dir::State="$PWD/apt" -o Dir::Cache="$PWD/apt" -o APT::Sandbox::User=)
apt-get "${settings[@]}" update -qq
# The package itself has only the name of the newest one.
kernel=$(apt-cache "${settings[@]}" depends "linux-image-cloud-$1" | awk '/Depends: linux-image/ { print $2 }')
apt-get "${settings[@]}" download -qq "$kernel" busybox-static util-linux libc6
for package in *.deb; do dpkg -x "$package" .; done
rm -r ./*.deb apt
