# What the kernel's workers move is what the main loop would. Behind two-cards.sh.
mkdir -p /www; yes 'what a bridge hands on, whole or in pieces' | head -c 1048576 > /www/big
inside busybox httpd -p 80 -h /www
say get; wget -q -O - http://10.9.0.11/big | md5sum; md5sum < /www/big
say fetch; wget -q -O - http://10.9.0.100/big.bin | md5sum
ping -q -c 20 -i 0.02 10.9.0.1 | timeless
sleep 1
say features; cat /sys/bus/virtio/devices/virtio0/features
say interrupts; grep virtio0- /proc/interrupts | sed 's/  */ /g'; grep virtio1- /proc/interrupts | sed 's/  */ /g'
echo virtio0 > /sys/bus/virtio/drivers/virtio_net/unbind
say done
poweroff -f
