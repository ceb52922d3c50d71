# Speaks to another guest that runs the same, by the addresses of the kernel's command line.
say() { echo "= $*"; }
for word in $(cat /proc/cmdline); do case $word in own=*|other=*) eval "$word";; esac; done
network
ip link set lo up
ip link set eth0 up
ip addr add $own/24 dev eth0
mkdir /tmp/web
seq 60000 | sed "s/^/$own line /" > /tmp/web/one.bin
httpd -p 80 -h /tmp/web
for second in $(seq 200); do ping -c 1 -W 1 $other > /dev/null 2>&1 && break; done
say ping; ping -c 10 -i 0.2 $other
say own $(md5sum < /tmp/web/one.bin)
for second in $(seq 100); do wget -q -O /tmp/got http://$other/one.bin 2> /dev/null && break; sleep 1; done
say got $(md5sum < /tmp/got)
echo done > /tmp/web/done
for second in $(seq 200); do wget -q -O /dev/null http://$other/done 2> /dev/null && break; sleep 1; done
say done
sleep 3
