"""A host for a guest: HOST RESOLV SMALL BIG COMMAND... runs a command in a network of its own, where a resolver and
servers listen at fixed ports of the loopback. To be run by `unshare -rnm`. RESOLV is what /etc/resolv.conf says then.
Each server waits for its client to end, or ends long before, so that who is first does not hang on time."""

import fcntl
import hashlib
import socket
import struct
import subprocess
import sys
import threading
import time

SIOCSIFFLAGS = 0x8914
UP_AND_RUNNING = 0x41
A_WHILE = 0.3
TFTP_READ = 1
TFTP_BLOCK = b"\0\3\0\1"
ANSWER = bytes.fromhex("c00c000100010000012c00040a000264")


def serve(family, address, port, talk):
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen()

    def accept():
        while True:
            talk(server.accept()[0])

    threading.Thread(target=accept, daemon=True).start()


def web(files):
    def talk(client):
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += client.recv(65536)
        head, body = heard.split(b"\r\n\r\n", 1)
        length = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        while length and len(body) < int(length[0]):
            body += client.recv(65536)
        name = head.split()[1].decode().strip("/")
        said = f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}\n".encode()
        answer = files.get(name, said)
        client.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
        while client.recv(65536):
            pass
        client.close()

    return talk


def ends_first(client):
    client.recv(100)
    time.sleep(A_WHILE)
    client.sendall(b"farewell\n")
    time.sleep(A_WHILE)
    client.shutdown(socket.SHUT_WR)
    while client.recv(100):
        pass
    client.close()


def resets(client):
    client.recv(100)
    time.sleep(A_WHILE)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def datagrams(port, answer):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))

    def loop():
        while True:
            said, sender = server.recvfrom(65536)
            back = answer(said)
            if back:
                server.sendto(back, sender)

    threading.Thread(target=loop, daemon=True).start()


def resolve(query):
    return query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:] + ANSWER


resolv, small, big, *command = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", UP_AND_RUNNING))
subprocess.run(["mount", "--bind", resolv, "/etc/resolv.conf"], check=True)
served = {name: open(path, "rb").read() for name, path in (("small.bin", small), ("big.bin", big))}
serve(socket.AF_INET, "127.0.0.1", 8080, web(served))
serve(socket.AF_INET6, "::1", 8080, web(served))
serve(socket.AF_INET, "127.0.0.1", 8081, ends_first)
serve(socket.AF_INET, "127.0.0.1", 8082, resets)
datagrams(8084, lambda said: TFTP_BLOCK + b"hello" if said[1] == TFTP_READ else b"")
datagrams(53, resolve)
sys.exit(subprocess.run(command).returncode)
