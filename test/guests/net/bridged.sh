# They speak to each other, and to whoever is on their bridge besides. Behind two-cards.sh.
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
