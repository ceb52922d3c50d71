# A guest's work on an ext4, behind what linux/initramfs.ts has every script do first. What it finds there after a
# reboot (there is none with restart=no) it compares; then it makes files durable, each in one of several ways, and says so on the console.
mount -t ext4 /dev/vda /mnt || poweroff -f
cd /mnt
if ! [ -e sums ]; then
  mkdir written kept other
  for i in 1 2 3; do cat /bin/busybox > written/$i; done
  md5sum written/* > sums
  sync
  echo written
  [ "$restart" = no ] || reboot -f
fi
md5sum -c sums && echo compared
rm -r written
# What nobody makes durable is written soon.
echo 20 > /proc/sys/vm/dirty_expire_centisecs
echo 10 > /proc/sys/vm/dirty_writeback_centisecs
i=0
while [ $i -lt $files ]; do
  file=kept/$i
  head -c $((i * 7919 % 30000 + 1)) /dev/urandom > other/$((i % 13))
  head -c $((i * 5171 % 20000 + 1)) /dev/urandom > $file
  case $((i % 5)) in
    0) sync -d $file ;;
    1) sync $file; mv $file kept/moved$i; file=kept/moved$i; sync kept ;;
    2) rm -f other/$((i * 3 % 13)); sync ;;
    *) sync $file ;;
  esac
  echo "kept $(md5sum $file)"
  i=$((i + 1))
done
poweroff -f
