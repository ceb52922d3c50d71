"""Opens a tap, has a server of HTTP at its address, and becomes a program that finds the tap at a descriptor:
tap.py FD ADDRESS FOLDER PROGRAM... In a network namespace of its own (`unshare -n`) nobody else sees it."""
import ctypes, fcntl, os, signal, struct, subprocess, sys

number, address, folder = sys.argv[1:4]
tap = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tap, 0x400454CA, struct.pack('16sH', b'wire0', 0x1002))  # TUNSETIFF: IFF_TAP | IFF_NO_PI
subprocess.check_call(['ip', 'addr', 'add', address + '/24', 'dev', 'wire0'])
subprocess.check_call(['ip', 'link', 'set', 'wire0', 'up'])
quiet = subprocess.DEVNULL
server = ['python3', '-m', 'http.server', '80', '--bind', address, '--directory', folder]
# PR_SET_PDEATHSIG: it ends with the program.
ends_with = lambda: ctypes.CDLL(None).prctl(1, signal.SIGTERM)
subprocess.Popen(server, stdin=quiet, stdout=quiet, stderr=quiet, preexec_fn=ends_with)
os.dup2(tap, int(number), inheritable=True)
os.execvp(sys.argv[4], sys.argv[4:])
