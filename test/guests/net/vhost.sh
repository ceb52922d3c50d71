# Two cards of one guest, each in a network namespace of its own: what the kernel's workers move is what the main loop would.
say() { echo "= $*"; }
timeless() { sed -e 's/time=[0-9.]* ms//' -e '/round-trip/d'; }
network
ip link set lo up
busybox unshare -n sleep 100000 &
other=$!
sleep 1
inside() { busybox nsenter -t $other -n "$@"; }
first=$(grep -l 52:54:00:00:00:0a /sys/class/net/*/address | cut -d/ -f5)
second=$(grep -l 52:54:00:00:00:0b /sys/class/net/*/address | cut -d/ -f5)
ip link set $second netns $other
ip addr add 10.9.0.10/24 dev $first
ip link set $first up
inside ip link set lo up
inside ip addr add 10.9.0.11/24 dev $second
inside ip link set $second up
sleep 3
say ping; ping -c 2 10.9.0.11 | timeless
say up; ping -c 2 10.9.0.1 | timeless
mkdir -p /www; yes 'what a bridge hands on, whole or in pieces' | head -c 1048576 > /www/big
inside busybox httpd -p 80 -h /www
say get; wget -q -O - http://10.9.0.11/big | md5sum; md5sum < /www/big
say fetch; wget -q -O - http://10.9.0.100/big.bin | md5sum
ping -q -c 20 -i 0.02 10.9.0.1 | timeless
sleep 1
say features; cat /sys/bus/virtio/devices/virtio0/features
say interrupts; grep virtio0- /proc/interrupts | sed 's/  */ /g'; grep virtio1- /proc/interrupts | sed 's/  */ /g'
echo virtio0 > /sys/bus/virtio/drivers/virtio_net/unbind
say done
poweroff -f
