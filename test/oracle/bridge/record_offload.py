#!/usr/bin/env python3
"""Records what Linux makes of packets that leave checksums and segments to it: python3 record_offload.py FILE (root).

Two taps with a header of virtio before each packet, on a bridge. A line is what was done, or what came of it:
  offload FLAGS       what may be left to the reader: TUN_F_*
  > HEADER FRAME      written to the first tap
  errno N             it was refused
  < HEADER FRAME      read from the second
"""
import ctypes
import fcntl
import os
import struct
import subprocess
import sys
import time

NS = "rvoffload"
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 2, 0x1000, 0x4000
NEEDS_CSUM = 1
TCP4, UDP, TCP6, ECN = 1, 3, 4, 0x80
CSUM, TSO4, TSO6, TSO_ECN = 1, 2, 4, 8


def sh(words):
    subprocess.run(["ip", "netns", "exec", NS, *words.split()], check=True)


def fold(total):
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def words(data):
    data += b"\0" * (len(data) % 2)
    return fold(sum(struct.unpack(f">{len(data) // 2}H", data)))


def header(flags=0, kind=0, length=0, size=0, start=0, offset=0):
    return struct.pack("<BBHHHH", flags, kind, length, size, start, offset)


def payload(length):
    return bytes((at * 7 + (at >> 8)) & 0xFF for at in range(length))


def tcp(version, length, flags=0x18, tag=b"", options=b"", identification=0x1234):
    data = payload(length)
    segment = struct.pack(">HHIIBBHHH", 1000, 80, 0xFFFFFF00, 77, (5 + len(options) // 4) << 4, flags, 500, 0, 0) + options
    size = len(segment) + len(data)
    if version == 4:
        ends = bytes([10, 0, 0, 1, 10, 0, 0, 2])
        # The field has 16 bits: so has the whole of what is cut.
        head = struct.pack(">BBHHHBBH", 0x45, 2, 20 + size, identification, 0x4000, 64, 6, 0) + ends
        head = head[:10] + struct.pack(">H", ~words(head) & 0xFFFF) + head[12:]
    else:
        ends = bytes.fromhex("fd00" + "00" * 13 + "01" + "fd00" + "00" * 13 + "02")
        head = struct.pack(">IHBB", 0x60000000, size, 6, 64) + ends
    pseudo = words(ends + struct.pack(">IHH", size, 0, 6))
    segment = segment[:16] + struct.pack(">H", pseudo) + segment[18:]
    kind = b"\x08\x00" if version == 4 else b"\x86\xdd"
    link = bytes.fromhex("020000000002020000000001") + tag + kind
    return link + head + segment + data, len(link) + len(head), len(link) + len(head) + len(segment)


def udp(length, fill=None):
    data = payload(length) if fill is None else fill
    size = 8 + len(data)
    ends = bytes([10, 0, 0, 1, 10, 0, 0, 2])
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + size, 9, 0, 64, 17, 0) + ends
    head = head[:10] + struct.pack(">H", ~words(head) & 0xFFFF) + head[12:]
    pseudo = words(ends + struct.pack(">HH", 17, size))
    datagram = struct.pack(">HHHH", 1000, 53, size, pseudo) + data
    return bytes.fromhex("0200000000020200000000010800") + head + datagram, 34


def zero_sum():
    """A datagram whose checksum comes out as zero, which UDP writes as all ones."""
    frame, start = udp(2, b"\0\0")
    rest = fold(words(frame[start:]))
    return udp(2, struct.pack(">H", ~rest & 0xFFFF))


def scenes(write, offload):
    for flags in (0, CSUM, CSUM | TSO4, CSUM | TSO4 | TSO6, CSUM | TSO4 | TSO6 | TSO_ECN):
        offload(flags)
        for version, kind in ((4, TCP4), (6, TCP6)):
            frame, start, whole = tcp(version, 20)
            write(header(), frame)
            write(header(NEEDS_CSUM, start=start, offset=16), frame)
            frame, start, whole = tcp(version, 280, 0x99)
            write(header(NEEDS_CSUM, kind, whole, 100, start, 16), frame)
            write(header(NEEDS_CSUM, kind | ECN, whole, 100, start, 16), frame)
            frame, start, whole = tcp(version, 200, options=bytes.fromhex("0101080a0000000100000002"))
            write(header(NEEDS_CSUM, kind, whole, 100, start, 16), frame)
            frame, start, whole = tcp(version, 210, tag=bytes.fromhex("81000005"))
            write(header(NEEDS_CSUM, kind, whole, 100, start, 16), frame)
        frame, start = udp(21)
        write(header(NEEDS_CSUM, start=start, offset=6), frame)
        frame, start = zero_sum()
        write(header(NEEDS_CSUM, start=start, offset=6), frame)
    frame, start, whole = tcp(4, 280)
    for flawed in (
        header(NEEDS_CSUM, 0, 0, 0, len(frame) - 1, 0),
        header(NEEDS_CSUM, 0, 0, 0, 60000, 16),
        header(NEEDS_CSUM, TCP4, whole, 0, start, 16),
        header(NEEDS_CSUM, 2, whole, 100, start, 16),
        header(NEEDS_CSUM, 7, whole, 100, start, 16),
    ):
        write(flawed, frame)


def record(file):
    sh("ip link add br0 type bridge mcast_snooping 0")
    fds = {}
    for name in ("p0", "p1"):
        fds[name] = fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        sh(f"ip link set {name} master br0")
        sh(f"ip link set {name} up")
    sh("ip link set br0 up")
    say = lambda *said: print(*said, file=file)
    say("# Linux", os.uname().release)

    def write(head, frame):
        say(">", head.hex(), frame.hex())
        try:
            os.write(fds["p0"], head + frame)
        except OSError as error:
            say("errno", error.errno)
        time.sleep(0.01)
        while True:
            try:
                data = os.read(fds["p1"], 70000)
            except BlockingIOError:
                return
            say("<", data[:10].hex(), data[10:].hex())

    def offload(flags):
        fcntl.ioctl(fds["p1"], TUNSETOFFLOAD, flags)
        say("offload", flags)

    scenes(write, offload)


def main():
    subprocess.run(["ip", "netns", "del", NS], capture_output=True)
    subprocess.run(["ip", "netns", "add", NS], check=True)
    if os.fork() == 0:
        fd = os.open(f"/run/netns/{NS}", os.O_RDONLY)
        ctypes.CDLL(None).setns(fd, 0x40000000)
        with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as file:
            file.write("1")
        with open(sys.argv[1], "w") as file:
            record(file)
        os._exit(0)
    os.wait()
    subprocess.run(["ip", "netns", "del", NS], check=True)


main()
