# A card with several queues: each processor speaks by its own.
say() { echo "= $*"; }
timeless() { sed -e 's/time=[0-9.]* ms//' -e '/round-trip/d'; }
on() { busybox taskset $1 sh -c "$2"; }
network
ip link set lo up
ip addr add 10.9.0.10/24 dev eth0
ip link set eth0 up
sleep 1
say queues; ls /sys/class/net/eth0/queues
say ping; on 1 'ping -c 2 10.9.0.1' | timeless; on 2 'ping -c 2 10.9.0.100' | timeless
on 1 'wget -q -O - http://10.9.0.100/big.bin | md5sum > /tmp/first' & on 2 'wget -q -O - http://10.9.0.100/big.bin | md5sum > /tmp/second'; wait
say fetch; cat /tmp/first /tmp/second
sleep 1
say interrupts; grep virtio0- /proc/interrupts | sed 's/  */ /g'
echo virtio0 > /sys/bus/virtio/drivers/virtio_net/unbind
say done
poweroff -f
