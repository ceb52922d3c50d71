import seedrandom from 'seedrandom';

/** Numbers of one named stream of a seed. */
export interface Draw {
  /** From 0 up to this. */
  below(limit: number): number;
  /** Milliseconds, short ones more often: from `least` to `most`, equally likely at every scale. */
  milliseconds(least: number, most: number): number;
  happens(share: number): boolean;
  pick<T>(from: readonly T[]): T;
}

/** A stream of chance: what one disturber draws does not move what another does. */
export function drawn(seed: string, stream: string): Draw {
  const chance = seedrandom.alea(`${seed} ${stream}`);
  const below = (limit: number): number => Math.floor(chance() * limit);
  return {
    below,
    milliseconds: (least, most) => Math.round(least * (most / least) ** chance()),
    happens: (share) => chance() < share,
    pick: (from) => from[below(from.length)] as (typeof from)[number],
  };
}

/** Keys pressed before anybody asks for them: the kernel and the shell take them as they please. */
export const IDLE_KEYS = ['x', '?', ' ', 'q', '\r', '\x7f', '\t', '0'];

const LINES = [
  'ls -l /proc >/dev/null; for i in 1 2 3 4; do (ls -lR /sys/bus >/dev/null &) ; done',
  'cat /proc/interrupts; for i in 1 2 3 4 5 6; do ls /bin | sort -r | head -n 3; done',
  'dmesg | tail -n 5; (sleep 1; echo woken) & cat /proc/meminfo | head -n 4; wait',
  'x=0; while [ $x -lt 200 ]; do x=$((x+1)); done; echo counted $x',
  'mkdir -p /tmp/a; cp /bin/busybox /tmp/a/b; /tmp/a/b md5sum /bin/busybox; rm -r /tmp/a',
];

/** What is typed at the shell. */
export function linesOf(draw: Draw): string[] {
  const lines = Array.from({ length: 2 + draw.below(3) }, () => draw.pick(LINES));
  return [...lines, 'wait; poweroff -f'];
}

/** What a gdb that has come does before it leaves, and whether it is to be interrupted while the guest runs. */
export function gdbSession(draw: Draw): readonly string[] {
  const looks = ['info registers rip', 'info threads', 'x/4i $rip', 'p $cr3', 'monitor info registers', 'p/x $sp'];
  const commands: string[] = [];
  for (let left = 1 + draw.below(5); left > 0; left -= 1) {
    const roll = draw.below(12);
    if (roll < 4) commands.push(draw.pick(looks));
    else if (roll < 6) commands.push(`stepi ${1 + draw.below(200)}`);
    else if (roll < 7) commands.push(`thread ${1 + draw.below(4)}`, 'stepi');
    else if (roll < 8) commands.push('set $rax = $rax');
    else if (roll < 10) commands.push('echo go\\n', 'continue');
    else if (roll < 11) commands.push('hbreak *$rip', 'echo go\\n', 'continue', 'delete');
    else commands.push(`reverse-stepi ${1 + draw.below(20)}`, 'stepi 3');
  }
  return commands;
}
