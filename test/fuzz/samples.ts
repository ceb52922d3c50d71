import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromHexadecimal } from '../../src/base/bytes.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { symbolFile } from '../../src/debugger/symbols/symbol-file.ts';
import { NODE } from '../../src/host/node.ts';
import { membersFor, writePack } from '../../src/host/pack/make-pack.ts';
import { tarEntries } from '../../src/host/pack/tar.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { parseChange } from '../../src/replay/interventions.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { forkRun } from '../../src/runs/forks/fork-run.ts';
import { finish } from '../../src/base/work.ts';
import { indexTrace } from '../../src/runs/recorded/index-trace.ts';
import { openRecordedRun } from '../../src/runs/recorded/recorded-run.ts';
import { checkpointPath } from '../../src/runs/recorded/stored-checkpoints.ts';
import { recordSmall } from '../replay/crafted.ts';
import { fakeBzImage, fakeMultiboot } from '../vmm/loaders/kernels.ts';

/** A file of an archive. */
export interface Packed {
  readonly name: string;
  readonly content: Uint8Array;
}

/** Files of every kind, as their writers write them. */
export interface Samples {
  readonly folder: string;
  /** Where the kernel of the traces lies. */
  readonly kernel: string;
  readonly trace: Uint8Array;
  readonly events: readonly Stamped[];
  readonly checkpoints: Uint8Array;
  readonly fork: Uint8Array;
  /** Of the trace, its checkpoints and its image. */
  readonly pack: readonly Packed[];
  readonly forkEvents: readonly Stamped[];
  readonly kernels: readonly Uint8Array[];
  readonly firmware: Uint8Array;
  readonly symbols: readonly Uint8Array[];
  readonly lastTick: number;
}

const TICKS = 900;
const EVERY = 200;
const OWN_GUEST = fileURLToPath(new URL('../../guests/tour/tour.elf', import.meta.url));

const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(path));

function eventsOf(path: string): readonly Stamped[] {
  const trace = openTraceFile(path);
  const { events } = readAll(trace);
  trace.close();
  return events;
}

/** Record, index and fork a small run; take the images our tests have. */
export function makeSamples(folder: string): Samples {
  const path = recordSmall(folder, 'sample', TICKS, printingGuest());
  finish(indexTrace(openRecordedRun(NODE, path, {}), EVERY));
  const fork = join(folder, 'fork.trace');
  const changes = ['rax=5', 'mem:0x8000=c3f4', 'raise irq 0x40', 'type ls', 'state clock.warpedNs=99999'];
  forkRun({
    run: openRecordedRun(NODE, path, {}),
    place: '40%',
    changes: changes.flatMap(parseChange),
    said: changes.join('; '),
    trace: fork,
    ticks: TICKS + 300,
    onSerial: () => undefined,
  });
  const events = eventsOf(path);
  const names = ['start', 'main', 'interrupt'].map((name, at) => ({
    name,
    address: BigInt(4096 * (1 + at)),
    size: 64n,
  }));
  const map = new TextEncoder().encode(
    names.map(({ name, address }) => `${address.toString(16).padStart(16, '0')} T ${name}\n`).join(''),
  );
  return {
    folder,
    kernel: join(folder, 'sample.bin'),
    trace: bytesOf(path),
    events,
    checkpoints: bytesOf(checkpointPath(path)),
    fork: bytesOf(fork),
    pack: packed(path),
    forkEvents: eventsOf(fork),
    kernels: [
      fakeBzImage({ initSize: 0x1000 }),
      fakeMultiboot(),
      bytesOf(join(folder, 'sample.bin')),
      bytesOf(OWN_GUEST),
    ],
    firmware: firmware(),
    symbols: [symbolFile(names, [{ start: 4096n, end: 12_288n }]), map],
    lastTick: events.at(-1)?.tick ?? 0,
  };
}

/** The files of a pack of a trace. */
function packed(path: string): Packed[] {
  const pieces: Uint8Array[] = [];
  writePack(membersFor(path, {}), { append: (bytes) => void pieces.push(bytes.slice()) });
  const pack = new Uint8Array(Buffer.concat(pieces));
  const read = (at: number, length: number): Uint8Array => pack.subarray(at, at + length);
  return tarEntries({ name: 'pack', size: pack.length, read }).map(({ name, offset, size }) => ({
    name,
    content: read(offset, size),
  }));
}

/** A multiboot kernel that says where it belongs, counts, prints, and begins anew. */
function printingGuest(): Uint8Array {
  const bytes = new Uint8Array(0x60);
  const view = new DataView(bytes.buffer);
  const base = 0x10_0000;
  const flags = 1 << 16;
  const header = [0x1badb002, flags, -(0x1badb002 + flags) >>> 0, base, base, 0, 0, base + 0x30];
  for (const [at, word] of header.entries()) view.setUint32(4 * at, word, true);
  // mov ecx, 100; nop; dec ecx; jnz; mov dx, 0x3f8; mov al, 'A'; out dx, al; mov [0x8000], al; jmp to the beginning
  bytes.set(fromHexadecimal('b964000000904975fc66baf803b041eea200800000ebe9'), 0x30);
  return bytes;
}

/** Firmware that looks at ports and memory, and an option ROM's mark: the reset vector jumps to its beginning. */
function firmware(): Uint8Array {
  const bytes = new Uint8Array(0x10000).fill(0x90);
  // in al, 0x71; out 0x80, al; mov al, [0x400]; inc ax; loop to the beginning of it; hlt
  bytes.set([0xe4, 0x71, 0xe6, 0x80, 0xa0, 0x00, 0x04, 0x40, 0xe2, 0xf6, 0xf4]);
  bytes.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0);
  return bytes;
}

/** Put a file of a case down. Returns its path. */
export function put(folder: string, name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}
