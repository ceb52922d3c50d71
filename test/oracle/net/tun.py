"""A TUN interface as a pair of pipes: packets of IP, each behind its length (two bytes, little end first)."""
import fcntl, os, select, struct, subprocess, sys

name = sys.argv[1]
tun = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack('16sH', name.encode(), 0x1001))  # IFF_TUN | IFF_NO_PI
for words in sys.argv[2:]:
    subprocess.check_call(words.split())
out = os.fdopen(1, 'wb', buffering=0)
held = b''
while True:
    ready, _, _ = select.select([tun, 0], [], [])
    if tun in ready:
        packet = os.read(tun, 65536)
        out.write(struct.pack('<H', len(packet)) + packet)
    if 0 in ready:
        more = os.read(0, 1 << 16)
        if not more:
            break
        held += more
        while len(held) >= 2 and len(held) >= 2 + (length := struct.unpack('<H', held[:2])[0]):
            os.write(tun, held[2:2 + length])
            held = held[2 + length:]
