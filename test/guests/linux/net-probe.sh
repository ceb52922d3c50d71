# What a Linux found of a network card of virtio, and what it did with it, behind what initramfs.ts has every script do.
say() { echo "=== $*"; }
network
say virtio
for d in /sys/bus/virtio/devices/*; do
  echo ${d##*/} device $(cat $d/device) vendor $(cat $d/vendor) status $(cat $d/status) features $(cat $d/features) driver $(readlink $d/driver)
done
say pci
od -A x -t x1 -v /sys/bus/pci/devices/0000:00:04.0/config
say card
cd /sys/class/net/eth0
cat address addr_len mtu tx_queue_len type flags
ls queues
ip link set eth0 up
for f in carrier operstate speed duplex flags; do echo $f $(cat $f 2>&1); done
cd /
say address
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 mtu 1400
ip link set eth0 promisc on
ip link set eth0 promisc off
ip link set eth0 multicast off
ip link set eth0 multicast on
ip link set eth0 down
ip link set eth0 address 52:54:00:12:34:99
ip link set eth0 up
cat /sys/class/net/eth0/address
say ping
arping -c 1 -I eth0 10.0.2.2 | sed 's/[0-9.]*ms//'
ping -c 3 10.0.2.2 | sed 's/time=.*//;s/round-trip.*//'
ping -c 2 -s 1372 10.0.2.2 | sed 's/time=.*//;s/round-trip.*//'
say arp
cat /proc/net/arp
say interrupts
grep virtio /proc/interrupts | sed 's/:  *[0-9]* /: N /'
say done
poweroff -f
