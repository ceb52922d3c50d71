"""Run a command on a pseudo terminal and type at it: ON_A_TERMINAL COMMAND... with `WAIT<tab>KEYS` lines on standard input
(Python escapes). Prints what the terminal showed; exits with the command's status."""

import os
import pty
import select
import signal
import sys
import time

script = [line.rstrip("\n").split("\t") for line in sys.stdin]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
shown = b""
seen = 0
end = time.time() + float(os.environ.get("SECONDS_AT_MOST", "120"))
while time.time() < end:
    if script:
        wait, keys = (part.encode().decode("unicode_escape").encode("latin-1") for part in script[0])
        at = shown.find(wait, seen)
        if at >= 0:
            seen = at + len(wait)
            script.pop(0)
            os.write(terminal, keys)
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            bytes_read = os.read(terminal, 65536)
        except OSError:
            break
        if not bytes_read:
            break
        shown += bytes_read
else:
    os.kill(pid, signal.SIGKILL)
sys.stdout.buffer.write(shown)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
