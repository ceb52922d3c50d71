# The same for a machine of ours and one of QEMU's: what a Linux finds of a network card, and its part of conversations
# with the host of host.py. Somebody at the monitor pulls the cable, and plugs it, where that is said.
say() { echo "= $*"; }
timeless() { sed -e 's/time=[0-9.]* ms//' -e '/round-trip/d'; }
counts() {
  say counts $1
  for count in rx_packets tx_packets rx_bytes tx_bytes rx_errors tx_errors rx_dropped tx_dropped multicast collisions; do
    echo $count $(cat /sys/class/net/eth0/statistics/$count)
  done
  grep eth0 /proc/net/dev
}
network
ip link set lo up
cat > /tmp/bound <<'S'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/24 dev $interface
ip route add default via $router
echo "nameserver $dns" > /etc/resolv.conf
echo "lease $ip mask $subnet router $router dns $dns server $serverid for $lease"
S
chmod +x /tmp/bound
say lspci; lspci -vvv -nn 2> /dev/null
say bytes; lspci -xxx 2> /dev/null
say driver $(basename $(readlink /sys/class/net/eth0/device/driver))
ethtool -i eth0
say features; ethtool -k eth0
ip link set eth0 up
sleep 4
say udhcpc; udhcpc -i eth0 -s /tmp/bound -n -q 2>&1 | grep ^lease
say ping; ping -c 3 10.0.2.2 | timeless; ping -c 1 -s 3000 10.0.2.2 | timeless
say ipv6 $(ip -6 addr show dev eth0 | grep -o 'fec0:[^ ]*')
ping -6 -c 2 fec0::2 | timeless; ping -6 -c 1 -W 1 -s 3000 fec0::2 | timeless
say name; nslookup -type=a www.example.org 2>&1 | grep -A1 Name:
say tftp; tftp -g -r small.bin -l /tmp/small 10.0.2.2; md5sum < /tmp/small
say get; wget -q -O /tmp/small http://10.0.2.2:8080/small.bin; md5sum < /tmp/small
wget -q -O - "http://[fec0::2]:8080/small.bin" | md5sum
wget -q -O /tmp/big http://10.0.2.2:8080/big.bin; md5sum < /tmp/big
say put; wget -q -O - --post-file=/tmp/small http://10.0.2.2:8080/put; wget -q -O - --post-file=/tmp/big http://10.0.2.2:8080/put
say ends first; echo hello | nc -w 5 10.0.2.2 8081; echo status $?
say resets; echo hello | nc -w 5 10.0.2.2 8082; echo status $?
say refused; nc -w 5 10.0.2.2 8083 < /dev/null; echo status $?
say datagram; tftp -g -r one -l /tmp/one 10.0.2.2 8084; cat /tmp/one; echo
say ethtool; ethtool eth0
say link; ip link show eth0; cd /sys/class/net/eth0; grep . speed duplex carrier operstate mtu address 2>&1; cd /
sleep 5
counts before
say pull
while [ $(cat /sys/class/net/eth0/carrier) = 1 ]; do sleep 1; done
say pulled; ip link show eth0; cat /sys/class/net/eth0/operstate
say plug
while [ $(cat /sys/class/net/eth0/carrier) = 0 ]; do sleep 1; done
say plugged; sleep 2; ip link show eth0; cat /sys/class/net/eth0/operstate
ping -c 1 10.0.2.2 | timeless
say dhcpcd; ip addr flush dev eth0; ip route flush dev eth0; mkdir -p /var/lib/dhcpcd /run
dhcpcd -4 -1 -A -w -c /bin/true eth0 2>&1 | grep leased
ip addr show dev eth0 | grep 'inet '
dhcpcd -x eth0 2> /dev/null; sleep 1
say ipconfig; ipconfig -c dhcp -t 10 eth0 > /dev/null 2>&1; grep -v UPTIME /run/net-eth0.conf
sleep 5
counts after
say interrupts; grep -E 'eth0|virtio.-(input|output|config)' /proc/interrupts | sed -E 's/:  *[0-9]+  */: /;s/  */ /g'
say done
poweroff -f
