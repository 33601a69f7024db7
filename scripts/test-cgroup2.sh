#!/bin/bash
# `make test-cgroup2`: boots a kernel with cgroup v2 in qemu, on whatever machine this is, and runs oneapi in
# cgroups that are made as a kubelet makes them. There the clock can be set too, which no container can have for
# itself. scripts/cgroup2/init is all that runs there, beside oneapi and twoapi.
#
# The machine has one CPU, whose time counts instructions and not seconds, and skips those in which it
# sleeps: what else this machine does changes no figure. Several CPUs can't be counted like that.
#
# KERNEL is a Linux image, else the newest one in /boot; cgroups have to be built in, and not to be modules, as in
# Debian's. ONEAPI and TWOAPI are static binaries, else they are built as for an image: one that isn't optimised works
# in steps that are too long for a CPU as slow as this.
#
# ARCH is amd64, or arm64. GUEST is a folder that has all of this for a machine that isn't this one's kind: oneapi and
# twoapi, and, unpacked, Debian's packages of a kernel, busybox-static, util-linux and libc6. CONTRIBUTING.md fills one.

. "$(dirname "$0")/common.sh"
takes '' "$@"
set -e

case ${ARCH:=amd64} in
  amd64) machine=(qemu-system-x86_64 -machine q35) console=ttyS0 ;;
  arm64) machine=(qemu-system-aarch64 -machine virt -cpu cortex-a53) console=ttyAMA0 ;;
  *) fail "There is no machine for the architecture $ARCH: it is amd64 or arm64." ;;
esac

# Programs that run there, and where they are.
if [ -n "${GUEST:=}" ]; then
  : "${ONEAPI:=$GUEST/oneapi}" "${TWOAPI:=$GUEST/twoapi}"
  path() { find "$GUEST" -path "*/bin/$1"; }
  libraries() { find "$GUEST" -type f \( -name 'ld-linux*' -o -name libc.so.6 \); }
else
  path() { command -v "$1"; }
  libraries() { ldd "$(path unshare)" | grep -o '/[^ ]*'; }
fi
# Busybox is copied alone to where there are no libraries.
! ldd "$(path busybox)" >/dev/null 2>&1 || fail "busybox has to be static: Debian's package is busybox-static."
kernel=${KERNEL:-$(ls -t "$GUEST"/boot/vmlinuz-* 2>/dev/null | head -n 1)}
[ -r "$kernel" ] || fail "There is no kernel to boot: KERNEL=FILE names one, such as /boot/vmlinuz of a Debian."

program() { # SERVICE [BINARY]
  local program=${2:-}
  [ -n "$program" ] || program=$(cargo --config static.toml build --release --locked -p "$1" --bin "$1" \
    --message-format json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
  [ -x "$program" ] || fail "There is no program '$program'."
  echo "$program"
}
oneapi=$(program oneapi "${ONEAPI:-}")
twoapi=$(program twoapi "${TWOAPI:-}")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
root=$folder/root
mkdir -p "$root"/{bin,dev,host/bin,lib,proc,sys,tmp}
ln -s lib "$root/lib64"
cp "$(path busybox)" "$root/bin/busybox"
cp scripts/cgroup2/init "$root/init"
cp "$oneapi" "$root/oneapi"
cp "$twoapi" "$root/twoapi"
# Busybox has one that knows no cgroup namespaces.
cp "$(path unshare)" "$root/host/bin/unshare"
libraries | while read -r library; do cp -L "$library" "$root/lib/"; done
(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$folder/initramfs"

# 10 minutes: ten times what it takes, if this machine has nothing else to do.
timeout 600 "${machine[@]}" -accel tcg,thread=single -icount shift=1,sleep=off -smp 1 -m 512 \
  -nographic -no-reboot -nic none -monitor none -kernel "$kernel" -initrd "$folder/initramfs" \
  -append "console=$console quiet loglevel=3 panic=-1 mitigations=off" </dev/null 2>&1 |
  tee "$folder/console" | sed -nu 's|\r$||; /^Linux/,$p'
grep -q '^[0-9]* checks, 0 failed' "$folder/console" && exit
grep -q '^Linux' "$folder/console" || cat "$folder/console" >&2 # why it didn't come so far
fail 'Not all checks have been passed.'
