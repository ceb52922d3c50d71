# Two cards of one guest, each in a network namespace of its own, on one bridge: they hear each other, and who is there besides.
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
