import { readFileSync, readSync, writeSync } from 'node:fs';
import { Problem } from '../base/problem.ts';
import type { HostTap } from '../runs/world.ts';

/** Frames of one look: QEMU reads as many before others have their turn (7.2: net/tap.c). */
const MOST_READ = 50;
/** Node waits for no such file, so it is looked at so often. */
const LOOK_MS = 2;
/** Longer than any frame of a tap. */
const LONGEST = 1 << 17;

const O_NONBLOCK = 0o4000;
/** Flags of TUNSETIFF, as sysfs has them. */
const IFF = { tap: 0x2, noPi: 0x1000, vnetHdr: 0x4000 } as const;

/** What a file of the kernel's says; undefined: it is not there. */
function told(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

/** Why frames cannot be read from a descriptor and written to it; undefined: they can. */
function flawOf(fd: number): string | undefined {
  const info = told(`/proc/self/fdinfo/${fd}`);
  if (info === undefined) return 'it is not open';
  const name = /^iff:\s*(\S+)$/m.exec(info)?.[1];
  if (name === undefined) return 'it is no tap';
  if ((Number.parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? '', 8) & O_NONBLOCK) === 0) {
    return 'who reads it would wait: open it with O_NONBLOCK';
  }
  // In another namespace the interface is not to be seen.
  const flags = Number(told(`/sys/class/net/${name}/tun_flags`) ?? IFF.tap | IFF.noPi);
  if ((flags & IFF.tap) === 0) return 'it carries packets of IP: open it with IFF_TAP';
  if ((flags & IFF.noPi) === 0 || (flags & IFF.vnetHdr) !== 0) {
    return 'something stands before each of its frames: open it with IFF_NO_PI alone';
  }
  return undefined;
}

/** A tap that whoever started this process has opened. */
export function openTap(fd: number, isWanted: () => boolean, came: (frame: Uint8Array) => void): HostTap {
  const flaw = flawOf(fd);
  if (flaw !== undefined) throw new Problem(`Cannot use descriptor ${fd} as a tap: ${flaw}.`);
  const buffer = new Uint8Array(LONGEST);
  const look = (): void => {
    for (let read = 0; read < MOST_READ && isWanted(); read += 1) {
      const length = readFrame(fd, buffer);
      if (length === undefined) return;
      came(buffer.slice(0, length));
    }
  };
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return {
    send(frame) {
      try {
        writeSync(fd, frame);
      } catch {
        // An interface that is down, or whose queue is full, loses it.
      }
    },
    close: () => void clearInterval(timer),
  };
}

/** Undefined: there is none. */
function readFrame(fd: number, buffer: Uint8Array): number | undefined {
  try {
    return readSync(fd, buffer);
  } catch {
    return undefined;
  }
}
