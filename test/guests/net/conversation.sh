# Speaks to a world over the first network card, and says what came of it. What depends on time is left out.
say() { echo "= $*"; }
timeless() { sed -e 's/time=[0-9.]* ms//' -e '/round-trip/d'; }
network
ip link set lo up
cat > /tmp/bound <<'S'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/24 dev $interface
ip route add default via $router
echo "nameserver $dns" > /etc/resolv.conf
echo "lease $ip router $router dns $dns"
S
chmod +x /tmp/bound
ip link set eth0 up
sleep 3
say card $(basename $(readlink /sys/class/net/eth0/device/driver)) speed $(cat /sys/class/net/eth0/speed 2>/dev/null) carrier $(cat /sys/class/net/eth0/carrier)
say lease; udhcpc -i eth0 -s /tmp/bound -n -q 2>&1 | grep ^lease
say ping; ping -c 3 10.0.2.2 | timeless; ping -c 1 -s 3000 10.0.2.2 | timeless
say ipv6 $(ip -6 addr show dev eth0 | grep -o 'fec0:[^ ]*'); ping -6 -c 2 fec0::2 | timeless
say name; nslookup www.example.org 2>&1 | grep -A1 'Name:'
say get; wget -q -O /tmp/big http://www.example.org/big.bin; md5sum < /tmp/big
if grep -q ' huge' /proc/cmdline; then wget -q -O - http://www.example.org/huge.bin | md5sum; fi
say put; wget -q -O - --post-file=/tmp/big http://www.example.org/upload; echo status $?
say missing; wget -q -O /dev/null http://www.example.org/nothing; echo status $?
say echo $(echo hello | nc -w 2 10.0.2.100 7)
say refused; nc -w 2 10.0.2.100 81 < /dev/null; echo status $?
# The e1000's driver counts what it sent once it cleans up behind it, every two seconds at the latest.
sleep 5
say counts
for count in rx_packets tx_packets rx_bytes tx_bytes rx_errors tx_errors rx_dropped tx_dropped; do echo $count $(cat /sys/class/net/eth0/statistics/$count); done
say interrupts; grep -E 'eth0|virtio.-(input|output|config)' /proc/interrupts | sed 's/  */ /g'
say done
