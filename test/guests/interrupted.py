"""Type commands at a prompt on a pseudo terminal and stop each by Ctrl-C: INTERRUPTED PROMPT COMMAND... with a JSON array of
lines on standard input. Each is stopped once the command's process has spent SECONDS_BEFORE of processor time on it. Prints a JSON
array: of each line what was shown, whether it was stopped, and the processor and wall time from Ctrl-C to the next prompt."""

import json
import os
import pty
import select
import sys
import time

BEFORE = float(os.environ.get("SECONDS_BEFORE", "0.6"))
PROMPT = sys.argv[1].encode()
TICKS = os.sysconf("SC_CLK_TCK")
lines = json.load(sys.stdin)
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b""


def spent():
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def read(seconds):
    global shown
    if select.select([terminal], [], [], seconds)[0]:
        shown += os.read(terminal, 65536)


def until_prompt(start, limit):
    end = time.time() + limit
    while PROMPT not in shown[start:]:
        if time.time() > end:
            raise SystemExit(f"no prompt after {shown[start:][-500:]!r}")
        read(0.01)


until_prompt(0, 120)
answers = []
for line in lines:
    stop = line["stop"]
    start = len(shown)
    os.write(terminal, line["text"].encode() + b"\r")
    # The echo of the line brings the prompt once more.
    while b"\n" not in shown[start:]:
        read(0.01)
    start = start + shown[start:].index(b"\n") + 1
    began, end = spent(), time.time() + 60
    while PROMPT not in shown[start:] and (not stop or spent() - began < BEFORE) and (not stop or time.time() < end):
        read(0.01)
    stopped = PROMPT not in shown[start:]
    processor, wall = spent(), time.time()
    if stopped:
        os.write(terminal, b"\x03")
    until_prompt(start, 120)
    answers.append(
        {
            "text": line["text"],
            "stopped": stopped,
            "processor": spent() - processor,
            "wall": time.time() - wall,
            "shown": shown[start:].decode("latin-1"),
        }
    )
os.write(terminal, b"quit\r")
_, status = os.waitpid(pid, 0)
json.dump({"status": os.waitstatus_to_exitcode(status), "answers": answers}, sys.stdout)
