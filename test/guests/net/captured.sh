# What a Linux did whose frames are in test/net/captured: a lease, pings, and a page a program of the host's says.
cat > /tmp/leased <<'S'
#!/bin/sh
[ "$1" = bound ] && { ifconfig $interface $ip netmask $subnet; echo "lease $interface $ip $subnet router $router dns $dns"; }
S
chmod +x /tmp/leased
network
ifconfig lo up
ifconfig eth0 up
sleep 2
udhcpc -i eth0 -s /tmp/leased -n -q -t 5 2>&1
ping -c 3 10.0.2.2
ping -c 1 -s 3000 10.0.2.2
echo "= page"
wget -q -O - http://10.0.2.100/ | md5sum
echo "= counts"
for count in rx_packets tx_packets rx_bytes tx_bytes rx_errors tx_errors rx_dropped; do
  echo $count $(cat /sys/class/net/eth0/statistics/$count)
done
echo "= done"
