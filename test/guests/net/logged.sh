# Writes memory while it is logged: a file of 300 pages, frames that come by a card the kernel serves, others by QEMU's.
network
ip link set lo up
mkdir -p /dev/shm; mount -t tmpfs none /dev/shm
first=$(grep -l 52:54:00:00:00:0a /sys/class/net/*/address | cut -d/ -f5)
second=$(grep -l 52:54:00:00:00:0b /sys/class/net/*/address | cut -d/ -f5)
ip addr add 10.9.0.10/24 dev $first
ip addr add 10.0.2.15/24 dev $second
ip link set $first up
ip link set $second up
sleep 2
ping -c 1 10.9.0.1 > /dev/null; ping -c 1 10.0.2.2 > /dev/null
echo "= logged"
dd if=/dev/zero of=/dev/shm/file bs=4096 count=300 2> /dev/null
ping -q -c 30 -i 0.005 -s 1400 10.9.0.1 | grep received
ping -q -c 10 -i 0.005 10.0.2.2 | grep received
sleep 2
echo "= done"
poweroff -f
