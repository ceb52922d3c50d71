# Speaks to servers of the host this runs on, by the ports of the kernel's command line, and is spoken to.
say() { echo "= $*"; }
for word in $(cat /proc/cmdline); do case $word in port.*) eval "${word#port.}";; esac; done
network
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
echo nameserver 10.0.2.3 > /etc/resolv.conf
sleep 1
web=http://10.0.2.2:$node
say get; wget -q -O /tmp/one $web/one.bin; md5sum < /tmp/one
say put; wget -q -O - --post-file=/tmp/one $web/put; echo status $?
say python; wget -q -O - http://10.0.2.2:$python/one.bin | md5sum
say reset; wget -q -O /dev/null http://10.0.2.2:$reset/; echo status $?
say stall; echo | timeout 2 nc 10.0.2.2 $stall > /tmp/part; echo $(wc -c < /tmp/part) bytes
say refused; nc -w 5 10.0.2.2 $refused < /dev/null; echo status $?
say unnamed; nc -w 5 10.0.2.2 $unnamed < /dev/null; echo status $?
say outside; nc -w 5 192.0.2.1 80 < /dev/null; echo status $?
say name $(nslookup www.example.org 2>&1 | grep -c NXDOMAIN)
say datagram; tftp -g -r one -l /tmp/tftp 10.0.2.2 $datagram; cat /tmp/tftp; echo
mkdir /tmp/web; cp /tmp/one /tmp/web/one.bin
httpd -p 80 -h /tmp/web
say ready
nc -l -p 2222 > /tmp/got
say got $(md5sum < /tmp/got)
say done
