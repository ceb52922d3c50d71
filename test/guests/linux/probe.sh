# What a Linux found of its PCI functions and its devices of virtio, behind what initramfs.ts has every script do first.
say() { echo "=== $*"; }
say pci
for d in /sys/bus/pci/devices/*; do
  b=${d##*/}
  echo "${b#0000:} dev"
  od -A x -t x1 -v $d/config | sed -e 's/^00000*\([0-9a-f]\)\([0-9a-f]\) /\1\2: /' -e 's/^0000*100$//' -e '/^$/d'
  echo
done
say resources
for d in /sys/bus/pci/devices/*; do
  echo ${d##*/} irq $(cat $d/irq) $(ls $d/msi_irqs 2>/dev/null | tr '\n' ' ')
  grep -v '^0x0000000000000000 0x0000000000000000' $d/resource
done
say iomem
cat /proc/iomem
say ioports
cat /proc/ioports
say virtio
for d in /sys/bus/virtio/devices/*; do
  echo ${d##*/} device $(cat $d/device) vendor $(cat $d/vendor) status $(cat $d/status) features $(cat $d/features) driver $(readlink $d/driver)
done
b=vda
say block $b
echo size $(cat /sys/block/$b/size)
for f in logical_block_size physical_block_size max_sectors_kb max_segments max_segment_size nr_requests rotational write_cache discard_max_bytes discard_granularity write_zeroes_max_bytes minimum_io_size optimal_io_size scheduler; do
  echo $f $(cat /sys/block/$b/queue/$f 2>/dev/null)
done
cat /sys/block/$b/serial
echo
dd if=/dev/$b bs=512 count=1 2>/dev/null | md5sum
dd if=/dev/$b bs=64k count=16 iflag=direct 2>/dev/null | md5sum
say more of $b
grep . /sys/block/$b/ro /sys/block/$b/range /sys/block/$b/cache_type /sys/block/$b/queue/* 2>/dev/null
for q in /sys/block/$b/mq/*; do echo $q $(cat $q/cpu_list) $(cat $q/nr_tags) $(cat $q/nr_reserved_tags); done
say requests
dd if=/dev/$b bs=64k count=8 skip=32 iflag=direct 2>/dev/null | md5sum
dd if=/dev/$b bs=1536 count=7 skip=2000 iflag=direct 2>/dev/null | md5sum
yes 0123456789abcdef | head -c 524288 > /tmp/lines
dd if=/tmp/lines of=/dev/$b bs=64k seek=2 oflag=direct conv=fsync,notrunc 2>/dev/null
dd if=/dev/$b bs=64k count=12 iflag=direct 2>/dev/null | md5sum
blkdiscard -o 1048576 -l 65536 /dev/$b
dd if=/dev/$b bs=64k count=4 skip=14 iflag=direct 2>/dev/null | md5sum
echo write through > /sys/block/$b/cache_type
cat /sys/block/$b/cache_type /sys/block/$b/queue/write_cache
dd if=/tmp/lines of=/dev/$b bs=4k count=3 seek=1000 oflag=direct conv=fsync,notrunc 2>/dev/null
dd if=/dev/$b bs=4k count=5 skip=999 iflag=direct 2>/dev/null | md5sum
say rng
cat /sys/class/misc/hw_random/rng_available /sys/class/misc/hw_random/rng_current
dd if=/dev/hwrng bs=64 count=1 2>/dev/null | wc -c
say interrupts
cat /proc/interrupts
say done
poweroff -f
