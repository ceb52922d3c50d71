# One of three on a bridge for long frames, two of which share a network within the wire, and the third another.
say() { echo "= $*"; }
for w in $(cat /proc/cmdline); do case $w in rv.*=*) eval ${w#rv.};; esac; done
network
for module in /vlans/*.ko; do insmod $module; done
sysctl -q -w net.ipv6.conf.all.disable_ipv6=1
ip link set lo up
ip link set eth0 mtu 9000; ip link set eth0 up; ip addr add 10.9.0.$n/24 dev eth0
ip link add link eth0 name v type vlan id $vlan; ip link set v mtu 8000; ip link set v up; ip addr add 10.5.0.$n/24 dev v
mkdir /www; cp /bin/busybox /www/f; httpd -p 80 -h /www
sleep 4
if [ $n = 10 ]; then
  say long; ping -c 1 -s 8900 10.9.0.11 | grep -E 'bytes from|transmitted' | sed 's/time=.*//'
  say tagged; ping -c 1 -s 7900 10.5.0.11 | grep -E 'bytes from|transmitted' | sed 's/time=.*//'
  say other; ping -c 1 -W 2 10.5.0.12 | grep transmitted
  say get $(wget -q -O - http://10.5.0.11/f | md5sum) $(md5sum < /bin/busybox)
  sleep 14
else
  sleep 20
fi
# By now nobody asks any more where another is.
say counts; for c in rx_packets tx_packets rx_dropped rx_errors; do echo $c $(cat /sys/class/net/eth0/statistics/$c); done
say done
poweroff -f
