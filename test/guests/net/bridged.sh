# Two cards of one guest, each in a network namespace of its own: they speak to each other, and to whoever is on their bridge besides.
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
say nobody; ping -c 2 10.9.0.99 | timeless
mkdir -p /www; yes 'what a bridge hands on, whole or in pieces' | head -c 1048576 > /www/big
inside busybox httpd -p 80 -h /www
say get; wget -q -O - http://10.9.0.11/big | md5sum; md5sum < /www/big
say fetch; wget -q -O - http://10.9.0.100/big.bin | md5sum
say host; ping -c 1 10.9.0.254 | timeless
say arp; grep -v HW /proc/net/arp | sort | sed 's/  */ /g'
say counts
for count in rx_packets tx_packets rx_bytes tx_bytes rx_dropped; do echo $count $(cat /sys/class/net/$first/statistics/$count); done
say done
poweroff -f
