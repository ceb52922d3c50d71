#!/usr/bin/env python3
"""Records what Linux' bridge does: python3 record.py FOLDER [SCENE...] (root; iproute2; a network namespace of its own).

A line is what was done, or what came of it:
  bridges NAME OPTIONS, cable A B, ports NAME IFNAME...   what there is
  > IFNAME HEX      a frame is written to a tap
  < IFNAME HEX      what was read from one then, by interface
  wait SECONDS      real time passes
  fdb NAME MAC IFNAME      addresses that were learned, sorted, after `look fdb NAME`
  state NAME IFNAME STATE  after `look states NAME`
  stp NAME ROOT COST PORT  root, cost of the way to it and port towards it, after `look stp NAME`
  count IFNAME rx PACKETS BYTES DROPPED tx PACKETS BYTES DROPPED    after `look counts`
"""
import ctypes
import fcntl
import os
import struct
import subprocess
import sys
import time

NS = "rvbridge"
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 2, 0x1000


def sh(words, check=True):
    return subprocess.run(["ip", "netns", "exec", NS, *words.split()], check=check, capture_output=True, text=True).stdout


def shown(data):
    """Digits; a byte that is repeated at the end is told once, and how often: 5a*46."""
    end = data.rstrip(data[-1:])
    again = len(data) - len(end)
    return data.hex() if again < 16 else f"{end.hex()}{data[-1]:02x}*{again}"


class Scene:
    def __init__(self, path):
        self.out = open(path, "w")
        self.taps = {}
        self.bridges = {}
        self.index = {}
        self.say("# Linux", os.uname().release)

    def say(self, *words):
        print(*words, file=self.out)

    def bridge(self, name, options=""):
        self.index[name] = len(self.index)
        self.bridges[name] = []
        # With snooping the host itself says that it is a member of a group.
        sh(f"ip link add {name} type bridge mcast_snooping 0 {options}")
        sh(f"ip link set {name} address fe:fd:00:{self.index[name]:02x}:00:01")
        self.say("bridge", name, options)

    def attach(self, name, ifname):
        self.bridges[name].append(ifname)
        at = len(self.bridges[name])
        sh(f"ip link set {ifname} address fe:fd:00:{self.index[name]:02x}:00:{at:02x}")
        sh(f"ip link set {ifname} mtu {self.mtu}")
        sh(f"ip link set {ifname} master {name}")
        sh(f"ip link set {ifname} up")

    mtu = 1500

    def cable(self, a, b):
        sh(f"ip link add {a}-{b} type veth peer name {b}-{a}")
        self.attach(a, f"{a}-{b}")
        self.attach(b, f"{b}-{a}")
        self.say("cable", a, b)

    def ports(self, name, *ifnames):
        for ifname in ifnames:
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", ifname.encode(), IFF_TAP | IFF_NO_PI))
            self.taps[ifname] = fd
            self.attach(name, ifname)
        self.say("ports", name, *ifnames)

    def up(self):
        for name in self.bridges:
            sh(f"ip link set {name} mtu {self.mtu}")
            sh(f"ip link set {name} up")
        self.say("up")

    def read(self):
        for ifname, fd in self.taps.items():
            while True:
                try:
                    frame = os.read(fd, 70000)
                except BlockingIOError:
                    break
                self.say("<", ifname, shown(frame))

    def send(self, ifname, frame):
        self.say(">", ifname, shown(frame))
        try:
            os.write(self.taps[ifname], frame)
        except OSError as error:
            self.say("errno", error.errno)
        time.sleep(0.02)
        self.read()

    def wait(self, seconds):
        self.say("wait", seconds)
        end = time.time() + seconds
        while time.time() < end:
            time.sleep(min(0.05, max(0, end - time.time())))
            self.read()

    def fdb(self, name):
        self.say("look fdb", name)
        found = []
        for line in sh(f"bridge fdb show br {name}").splitlines():
            words = line.split()
            if "permanent" not in words and "master" in words:
                found.append((words[0], words[2]))
        for mac, port in sorted(found):
            self.say("fdb", name, mac, port)

    def states(self, name):
        self.say("look states", name)
        found = {}
        for line in sh("bridge link").splitlines():
            words = line.split()
            found[words[1].rstrip(":").split("@")[0]] = words[words.index("state") + 1]
        for ifname in self.bridges[name]:
            self.say("state", name, ifname, found[ifname])

    def stp(self, name):
        self.say("look stp", name)
        # `ip -d link` of iproute2 6.1 has the bridge's own identifier for the root's.
        value = lambda key: sh(f"cat /sys/class/net/{name}/bridge/{key}").strip()
        port = next((p for n, p in enumerate(self.bridges[name], 1) if n == int(value("root_port"))), "none")
        self.say("stp", name, value("root_id"), value("root_path_cost"), port)

    def counts(self):
        self.say("look counts")
        for ifname in self.taps:
            path = "/sys/class/net"
            value = lambda key: sh(f"cat {path}/{ifname}/statistics/{key}").strip()
            said = [" ".join([way, value(f"{way}_packets"), value(f"{way}_bytes"), value(f"{way}_dropped")]) for way in ("rx", "tx")]
            self.say("count", ifname, *said)


def mac(n):
    return bytes([0x02, 0, 0, 0, 0, n])


ALL = b"\xff" * 6


def frame(to, of, length=60, kind=b"\x88\xb5", fill=0x5A):
    head = to + of + kind
    return head + bytes([fill]) * (length - len(head))


def learning(s):
    s.bridge("br0")
    s.ports("br0", "p0", "p1", "p2", "p3")
    s.up()
    s.send("p0", frame(mac(2), mac(1)))
    s.fdb("br0")
    s.send("p1", frame(mac(1), mac(2)))
    s.send("p0", frame(mac(2), mac(1), 100))
    s.send("p0", frame(ALL, mac(1)))
    s.send("p2", frame(ALL, mac(3)))
    s.send("p2", frame(bytes.fromhex("01005e000001"), mac(3)))
    s.send("p2", frame(bytes.fromhex("3333000000fb"), mac(3)))
    s.fdb("br0")
    s.send("p0", frame(mac(4), mac(1)))  # nobody has heard of it
    s.send("p0", frame(mac(6), mac(5)))  # two stations behind one port
    s.send("p0", frame(mac(5), mac(6)))
    s.send("p0", frame(mac(6), mac(5)))
    s.send("p3", frame(mac(1), mac(2), 61))  # one has moved
    s.fdb("br0")
    s.send("p0", frame(mac(2), mac(1), 62))
    s.send("p0", frame(bytes.fromhex("fefd00000001"), mac(1)))  # for the host
    s.send("p0", frame(bytes.fromhex("fefd00000003"), mac(1)))  # for a port's own address
    s.send("p0", frame(mac(2), bytes.fromhex("fefd00000002"), 63))  # from a port's own address
    s.send("p0", frame(mac(2), bytes.fromhex("030000000001")))  # from a group
    s.send("p0", frame(mac(2), bytes(6)))  # from nobody
    s.send("p0", frame(bytes(6), mac(1)))  # to nobody
    s.fdb("br0")
    s.counts()


def groups(s):
    s.bridge("br0")
    s.ports("br0", "p0", "p1", "p2")
    s.up()
    for last in [*range(17), 0x21]:
        s.send("p0", frame(bytes([1, 0x80, 0xC2, 0, 0, last]), mac(last + 1), kind=b"\x88\xb5"))
    s.send("p1", frame(bytes.fromhex("0180c2000001"), mac(40), kind=b"\x88\x08"))
    s.send("p1", frame(bytes.fromhex("01000ccccccd"), mac(41)))
    s.fdb("br0")


def sizes(s, mtu=1500):
    s.mtu = mtu
    s.bridge("br0", f"")
    s.ports("br0", "p0", "p1")
    s.say("mtu", mtu)
    s.up()
    for length in (13, 14, 15, 59, 60, mtu, mtu + 14, mtu + 15, mtu + 18, mtu + 19, mtu + 100):
        s.send("p0", frame(ALL, mac(1), length))
    tag = b"\x81\x00\x20\x05\x88\xb5"
    for length in (18, 60, mtu + 18, mtu + 19, mtu + 22, mtu + 23):
        s.send("p0", frame(ALL, mac(1), length, tag))
    double = b"\x88\xa8\x20\x05\x81\x00\x00\x07\x88\xb5"
    for length in (60, mtu + 22, mtu + 23, mtu + 26):
        s.send("p0", frame(ALL, mac(1), length, double))
    s.send("p1", frame(mac(1), mac(2), 64, tag))
    s.fdb("br0")
    s.counts()


def jumbo(s):
    sizes(s, 9000)


def ageing(s):
    s.bridge("br0", "ageing_time 300")
    s.ports("br0", "p0", "p1", "p2")
    s.up()
    s.send("p0", frame(mac(9), mac(1)))
    s.send("p1", frame(mac(9), mac(2)))
    s.wait(1.5)
    s.send("p0", frame(mac(9), mac(1)))
    s.fdb("br0")
    s.wait(2.2)
    s.fdb("br0")
    s.send("p2", frame(mac(1), mac(3)))
    s.send("p2", frame(mac(2), mac(3)))
    s.wait(1.6)
    s.fdb("br0")
    s.send("p2", frame(mac(1), mac(3)))
    s.wait(4)
    s.fdb("br0")


def hub(s):
    s.bridge("br0", "ageing_time 0")
    s.ports("br0", "p0", "p1", "p2")
    s.up()
    s.send("p0", frame(mac(2), mac(1)))
    s.send("p1", frame(mac(1), mac(2)))
    s.fdb("br0")


def chain(s):
    s.bridge("br0")
    s.bridge("br1")
    s.bridge("br2")
    s.cable("br0", "br1")
    s.cable("br1", "br2")
    s.ports("br0", "p0")
    s.ports("br1", "p1")
    s.ports("br2", "p2")
    s.up()
    s.send("p0", frame(mac(3), mac(1)))
    s.send("p2", frame(mac(1), mac(3)))
    s.send("p0", frame(mac(3), mac(1), 70))
    s.send("p1", frame(ALL, mac(2)))
    for name in ("br0", "br1", "br2"):
        s.fdb(name)


def spanning(s):
    s.bridge("br0", "stp_state 1")
    s.ports("br0", "p0", "p1")
    s.up()
    s.states("br0")
    s.send("p0", frame(ALL, mac(1)))
    s.fdb("br0")
    s.wait(17)
    s.states("br0")
    s.send("p0", frame(ALL, mac(1), 61))
    s.fdb("br0")
    s.wait(15)
    s.states("br0")
    s.stp("br0")
    s.send("p0", frame(ALL, mac(1), 62))
    s.send("p0", frame(bytes.fromhex("0180c2000000"), mac(7)))
    s.fdb("br0")
    s.wait(4)


def triangle(s):
    for name, priority in (("br0", 32768), ("br1", 4096), ("br2", 32768)):
        s.bridge(name, f"stp_state 1 priority {priority}")
    s.cable("br0", "br1")
    s.cable("br1", "br2")
    s.cable("br2", "br0")
    for at in range(3):
        s.ports(f"br{at}", f"p{at}")
    s.up()
    all_three = ("br0", "br1", "br2")
    s.wait(5)
    for name in all_three:
        s.states(name)
        s.stp(name)
    s.wait(35)
    for name in all_three:
        s.states(name)
        s.stp(name)
    s.send("p0", frame(mac(3), mac(1)))
    s.send("p2", frame(mac(1), mac(3)))
    s.send("p0", frame(mac(3), mac(1), 70))
    s.send("p1", frame(ALL, mac(2)))
    for name in all_three:
        s.fdb(name)


SCENES = {
    each.__name__: each for each in (learning, groups, sizes, jumbo, ageing, hub, chain, spanning, triangle)
}


def main():
    folder, names = sys.argv[1], sys.argv[2:] or list(SCENES)
    for name in names:
        subprocess.run(["ip", "netns", "del", NS], capture_output=True)
        subprocess.run(["ip", "netns", "add", NS], check=True)
        # Taps are made in the namespace of who opens them.
        if os.fork() == 0:
            fd = os.open(f"/run/netns/{NS}", os.O_RDONLY)
            ctypes.CDLL(None).setns(fd, 0x40000000)

            for key in ("all", "default"):
                with open(f"/proc/sys/net/ipv6/conf/{key}/disable_ipv6", "w") as file:
                    file.write("1")
            SCENES[name](Scene(os.path.join(folder, f"{name}.txt")))
            os._exit(0)
        _, status = os.wait()
        subprocess.run(["ip", "netns", "del", NS], check=True)
        print(name, status)


main()
