#!/bin/sh
# boot-machine.sh ROOT GROUP: starts the Debian in ROOT with its own systemd as process 1, as a container manager would: /proc, /sys,
# /dev and /run of its own, and the control group GROUP for its own. Run by `unshare --mount --pid --uts --ipc --fork`.
set -e
root=$1 group=$2
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"

mount -t proc proc proc
# Settings of the network are this machine's own, all others the real kernel's.
mount --bind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys
mount -t sysfs sysfs sys
mount -o remount,bind,ro sys
for folder in run tmp; do mount -t tmpfs tmpfs $folder; done

mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
  touch dev/$device
  mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd

mount -t cgroup2 cgroup2 sys/fs/cgroup
mkdir "sys/fs/cgroup/$group"
echo 0 >"sys/fs/cgroup/$group/cgroup.procs"
umount sys/fs/cgroup
exec unshare --cgroup sh -c 'mount -t cgroup2 cgroup2 sys/fs/cgroup && exec chroot . /usr/bin/env -i container=test \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=0'
