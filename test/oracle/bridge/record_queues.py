#!/usr/bin/env python3
"""Records which queue of a tap Linux has for a frame: unshare -n python3 record_queues.py FILE (root).

A tap with four queues on a bridge that learns nothing, to which another tap sends frames. A line is what was done, or what came of it:
  write QUEUE FRAME   a frame was written to a queue
  send FRAME          one came to its interface from the bridge
  < QUEUE             where it was read; -: somewhere, by its hash alone
  detach QUEUE, attach QUEUE
  wait MS             so long nothing was done
  spread FRAMES       of many that nobody has heard of, in how many queues some were
"""
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

NAME, OTHER, BRIDGE = "rvqueues", "rvsender", "rvbridge"
TUNSETIFF, TUNSETQUEUE = 0x400454CA, 0x400454D9
IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE = 2, 0x1000, 0x0100
IFF_ATTACH_QUEUE, IFF_DETACH_QUEUE = 0x0200, 0x0400
QUEUES = 4
HOST, GUEST = bytes.fromhex("0200000000aa"), bytes.fromhex("0200000000bb")


def ethernet(kind, body, back=False, tags=()):
    ends = HOST + GUEST if back else GUEST + HOST
    tagged = b"".join(struct.pack(">HH", tpid, vid) for tpid, vid in tags)
    return (ends + tagged + struct.pack(">H", kind) + body).ljust(60, b"\0")


def ipv4(protocol, body, source=1, destination=2, fragment=0, ttl=64, options=b""):
    words = 5 + len(options) // 4
    head = struct.pack(">BBHHHBBH", 0x40 | words, 0, 4 * words + len(body), 7, fragment, ttl, protocol, 0)
    return head + bytes([10, 8, 0, source, 10, 8, 0, destination]) + options + body


def ipv6(protocol, body, source=1, destination=2, label=0):
    head = struct.pack(">IHBB", 0x60000000 | label, len(body), protocol, 64)
    return head + b"\xfd" + bytes(14) + bytes([source]) + b"\xfd" + bytes(14) + bytes([destination]) + body


def ports(source, destination):
    return struct.pack(">HH", source, destination) + bytes(16)


IP4, IP6, ARP = 0x0800, 0x86DD, 0x0806
TCP, UDP, ICMP, SCTP, ESP, AH = 6, 17, 1, 132, 50, 51

# Two frames each: whether they are of one conversation is told by where the first goes, when the other was heard last.
PAIRS = [
    (ethernet(IP4, ipv4(TCP, ports(1000, 80))), ethernet(IP4, ipv4(TCP, ports(80, 1000), 2, 1), back=True)),
    (ethernet(IP4, ipv4(UDP, ports(1001, 80))), ethernet(IP4, ipv4(UDP, ports(80, 1001), 2, 1), back=True)),
    (ethernet(IP4, ipv4(TCP, ports(1002, 80))), ethernet(IP4, ipv4(TCP, ports(1003, 80)))),
    (ethernet(IP4, ipv4(TCP, ports(1004, 80))), ethernet(IP4, ipv4(UDP, ports(1004, 80)))),
    (ethernet(IP4, ipv4(TCP, ports(1005, 80))), ethernet(IP4, ipv4(TCP, ports(1005, 80), 3))),
    (ethernet(IP4, ipv4(TCP, ports(1006, 80), 5, 9)), ethernet(IP4, ipv4(TCP, ports(80, 1006), 5, 9))),
    (ethernet(IP4, ipv4(TCP, ports(1007, 80))), ethernet(IP4, ipv4(TCP, ports(1007, 80), ttl=3))),
    (ethernet(IP4, ipv4(TCP, ports(1008, 80))), ethernet(IP4, ipv4(TCP, ports(1008, 80), options=bytes(8)))),
    (ethernet(IP4, ipv4(ICMP, b"\x08\0\0\0\x12\x34\0\1", 4)), ethernet(IP4, ipv4(ICMP, b"\0\0\0\0\x77\x34\0\1", 2, 4))),
    (ethernet(IP4, ipv4(UDP, ports(1009, 80), 6, fragment=0x2000)), ethernet(IP4, ipv4(UDP, bytes(20), 6, fragment=3))),
    (ethernet(IP4, ipv4(UDP, ports(1010, 80), 7)), ethernet(IP4, ipv4(UDP, ports(1010, 80), 7, fragment=0x2000))),
    (ethernet(IP4, ipv4(UDP, ports(1011, 80), 8)), ethernet(IP4, ipv4(UDP, ports(1011, 80), 8, fragment=0x4000))),
    (ethernet(IP4, ipv4(SCTP, ports(1012, 80))), ethernet(IP4, ipv4(SCTP, ports(1013, 80)))),
    (ethernet(IP4, ipv4(ESP, ports(1014, 80))), ethernet(IP4, ipv4(ESP, ports(1015, 80)))),
    (ethernet(IP4, ipv4(AH, bytes(4) + ports(1016, 80))), ethernet(IP4, ipv4(AH, bytes(4) + ports(1017, 80)))),
    (ethernet(IP4, ipv4(99, ports(1018, 80))), ethernet(IP4, ipv4(99, ports(1019, 80)))),
    (ethernet(IP6, ipv6(TCP, ports(1020, 80))), ethernet(IP6, ipv6(TCP, ports(80, 1020), 2, 1), back=True)),
    (ethernet(IP6, ipv6(TCP, ports(1021, 80))), ethernet(IP6, ipv6(TCP, ports(1021, 81)))),
    (ethernet(IP6, ipv6(UDP, ports(1022, 80))), ethernet(IP6, ipv6(UDP, ports(1022, 80), label=5))),
    (ethernet(IP6, ipv6(UDP, ports(1023, 80))), ethernet(IP6, ipv6(60, bytes([UDP, 0, 1, 4, 0, 0, 0, 0]) + ports(1023, 80)))),
    (ethernet(IP6, ipv6(UDP, ports(1024, 80), 3)), ethernet(IP6, ipv6(44, bytes([UDP, 0, 0, 1, 0, 0, 0, 9]) + ports(1024, 80), 3))),
    (ethernet(IP6, ipv6(44, bytes([UDP, 0, 0, 1, 0, 0, 0, 9]) + ports(1, 2), 4)), ethernet(IP6, ipv6(44, bytes([UDP, 0, 1, 0, 0, 0, 0, 9]) + ports(3, 4), 4))),
    (ethernet(ARP, b"\0\1\x08\0\6\4\0\1" + bytes(20)), ethernet(ARP, b"\0\1\x08\0\6\4\0\2" + bytes([7] * 20))),
    (ethernet(0x88B5, bytes(46)), ethernet(0x88B5, bytes([9] * 46), back=True)),
    (ethernet(0x88B5, bytes(46)), ethernet(0x88B6, bytes(46))),
    (ethernet(0x0040, bytes(46)), ethernet(0x0044, bytes(46))),
    (ethernet(IP4, ipv4(UDP, ports(1025, 80))), ethernet(IP4, ipv4(UDP, ports(1025, 80)), tags=[(0x8100, 5)])),
    (ethernet(IP4, ipv4(UDP, ports(1026, 80)), tags=[(0x8100, 5)]), ethernet(IP4, ipv4(UDP, ports(1026, 80)), tags=[(0x8100, 6)])),
    (ethernet(IP4, ipv4(UDP, ports(1027, 80)), tags=[(0x88A8, 5), (0x8100, 6)]), ethernet(IP4, ipv4(UDP, ports(1027, 80)))),
]


def sh(words):
    subprocess.run(words.split(), check=True)


def opened(name, more=0):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | more))
    return fd


class Tap:
    def __init__(self, out):
        self.out = out
        self.fds = []
        for _ in range(QUEUES):
            self.fds.append(opened(NAME, IFF_MULTI_QUEUE))
        self.sender = opened(OTHER)
        sh(f"ip link add {BRIDGE} type bridge ageing_time 0 mcast_snooping 0")
        for name in (NAME, OTHER):
            sh(f"ip link set {name} master {BRIDGE}")
        for knob in ("iptables", "ip6tables"):
            # A bridge of Docker's host looks into packets.
            path = f"/proc/sys/net/bridge/bridge-nf-call-{knob}"
            if os.path.exists(path):
                with open(path, "w", encoding="ascii") as file:
                    file.write("0")
        for name in (NAME, OTHER, BRIDGE):
            with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w", encoding="ascii") as knob:
                knob.write("1")
            sh(f"ip link set {name} up")
        time.sleep(0.3)
        self.drain()

    def say(self, line):
        print(line, file=self.out)

    def drain(self):
        while any(self.read(0.05)):
            pass

    def read(self, seconds):
        ready, _, _ = select.select(self.fds, [], [], seconds)
        return [(self.fds.index(fd), os.read(fd, 65536)) for fd in ready]

    def write(self, queue, frame):
        os.write(self.fds[queue], frame)
        self.say(f"write {queue} {frame.hex()}")

    def sent_to(self, frame):
        os.write(self.sender, frame)
        ((queue, read),) = self.read(1)
        assert read == frame, (read.hex(), frame.hex())
        return queue

    def send(self, frame, is_known=True):
        self.say(f"send {frame.hex()}")
        queue = self.sent_to(frame)
        self.say(f"< {queue if is_known else '-'}")

    def set(self, queue, on):
        flags = IFF_ATTACH_QUEUE if on else IFF_DETACH_QUEUE
        fcntl.ioctl(self.fds[queue], TUNSETQUEUE, struct.pack("16sH22x", b"", flags))
        self.say(f"{'attach' if on else 'detach'} {queue}")

    def wait(self, seconds):
        time.sleep(seconds)
        self.say(f"wait {int(1000 * seconds)}")

    def spread(self, frames):
        queues = {self.sent_to(frame) for frame in frames}
        self.say(f"spread {' '.join(frame.hex() for frame in frames)}")
        self.say(f"< {len(queues)}")


def conversation(port):
    return ethernet(IP4, ipv4(UDP, ports(port, 7))), ethernet(IP4, ipv4(UDP, ports(7, port), 2, 1), back=True)


def main(path):
    with open(path, "w", encoding="ascii") as out:
        print("# Linux " + os.uname().release.split("-")[0], file=out)
        tap = Tap(out)
        for one, other in PAIRS:
            tap.write(1, one)
            tap.write(2, other)
            tap.send(one)
        talks = [conversation(2000 + queue) for queue in range(QUEUES)]

        def hear():
            for queue, (ours, _) in enumerate(talks):
                tap.write(queue, ours)

        def ask(forgotten=()):
            for queue, (_, theirs) in enumerate(talks):
                tap.send(theirs, queue not in forgotten)

        hear()
        ask()
        # The last queue goes: its conversations go to the first, and are there again when it is.
        tap.set(3, False)
        ask()
        tap.set(3, True)
        ask()
        # One in the middle goes: the last takes its place.
        tap.set(1, False)
        ask()
        tap.set(2, False)
        ask(forgotten=[3])
        tap.set(3, False)
        ask()
        tap.write(2, talks[0][0])
        for queue in (1, 2, 3):
            tap.set(queue, True)
        ask(forgotten=[2, 3])
        hear()
        ask()
        many = [conversation(3000 + at) for at in range(32)]
        tap.spread([theirs for _, theirs in many])
        for ours, _ in many:
            tap.write(2, ours)
        tap.spread([theirs for _, theirs in many])
        tap.wait(2.5)
        tap.spread([theirs for _, theirs in many])
        tap.wait(2.5)
        tap.spread([theirs for _, theirs in many])


main(sys.argv[1])
