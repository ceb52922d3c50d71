# Who asks others, as the guests of shared captures do: what it hears is compared with theirs.
for w in $(cat /proc/cmdline); do case $w in rv.*=*) eval ${w#rv.};; esac; done
network
sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 2>/dev/null
ip link set lo up
ifconfig eth0 $ip netmask 255.255.255.0 up; sleep ${wait:-1}
[ -n "$serve" ] && { dd if=/bin/busybox of=/tmp/f bs=1k count=256 2>/dev/null; mkdir /tmp/www; mv /tmp/f /tmp/www/f; httpd -p 80 -h /tmp/www; }
for p in $(echo $ping | tr , ' '); do ping -c 2 $p 2>&1 | sed 's/time=[0-9.]* ms/time=X/;s/round-trip.*//'; done
[ -n "$get" ] && wget -q -O - http://$get/f | md5sum
sleep ${stay:-0}
cat /proc/net/arp; for s in rx_packets tx_packets; do echo $s $(cat /sys/class/net/eth0/statistics/$s); done
echo "=== DONE"; poweroff -f
