/** A network card of virtio on a bench, and its driver, who does right. */
import { driver } from '../../../src/devices/virtio-net/index.ts';
import { NET_PROPERTIES, type NetSetup } from '../../../src/devices/virtio-net/setup.ts';
import type { NetFunctionState } from '../../../src/devices/virtio-net/state.ts';
import type { RomSetup } from '../../../src/devices/pci/index.ts';
import { Bench, writeConfig } from '../recorder.ts';

export const [RX, TX, CONTROL] = [0, 1, 2] as const;
export const HEADER = 12;
const MEMORY = 0x8_0000;
/** Regions of one without the legacy interface. */
const REGION = { common: 0, isr: 1, device: 2, notify: 3 } as const;
const MERGEABLE = 2 ** 15;
const [NEXT, WRITE] = [1, 2];
const QUEUE_BYTES = 0x4000;
const SIZE = 256;
const CONTROL_SIZE = 64;
const ARENA = 0x4_0000;

const USUAL = {
  ...Object.fromEntries(Object.entries(NET_PROPERTIES).map(([name, property]) => [name, property.default])),
  ...{
    'disable-legacy': true,
    'x-queue-pairs': 1,
    mac: '52:54:00:12:34:56',
    romfile: '',
    romsize: 0xffff_ffff,
    rombar: 1,
  },
} as unknown as NetSetup & RomSetup;

export type Piece = readonly [gpa: number, length: number, isWritten?: boolean];

export class Card {
  readonly bench: Bench<NetFunctionState>;
  /** The control queue. */
  readonly #control: number;
  readonly #high: number;
  readonly #made: number[] = [];
  readonly #next: number[] = [];
  #free = ARENA;

  /** At work, unless somebody says otherwise. low: features it accepts beside VERSION_1. */
  constructor(
    change: Partial<NetSetup> = {},
    low = MERGEABLE + 2 ** 17 + 2 ** 2,
    takesHeaders = false,
    control: number = CONTROL,
    high = 0,
  ) {
    this.#control = control;
    this.#high = high;
    const setup = { ...USUAL, ...change };
    this.bench = new Bench(
      driver.create(setup),
      driver.reducerOf!(setup),
      structuredClone(driver.atReset(setup)),
      MEMORY,
    );
    this.bench.peer = { name: 'n0', type: takesHeaders ? 'tap' : 'user', takesHeaders };
    writeConfig(this.bench, 4, 2, 7);
    this.begin(low);
  }

  get state(): NetFunctionState {
    return this.bench.state;
  }

  begin(low: number): void {
    for (const status of [0, 1, 3]) this.write(20, 1, status);
    for (const [half, word] of [low, 1 + this.#high].entries()) {
      this.write(8, 4, half);
      this.write(12, 4, word);
    }
    for (let queue = 0; queue < this.state.queues.length; queue++) this.enable(queue);
    this.write(20, 1, 0xf);
  }

  enable(queue: number): void {
    const { desc, avail, used } = this.ring(queue);
    this.bench.memory.fill(0, desc, desc + QUEUE_BYTES);
    [this.#made[queue], this.#next[queue]] = [0, 0];
    this.write(22, 2, queue);
    for (const [at, gpa] of [desc, avail, used].entries()) this.write(32 + 8 * at, 4, gpa);
    this.write(28, 2, 1);
  }

  resetQueue(queue: number): void {
    this.write(22, 2, queue);
    this.write(58, 2, 1);
  }

  /** A register of the common structure. */
  write(at: number, size: number, value: number): void {
    this.bench.write(at, value, size, REGION.common);
  }

  ring(queue: number): { readonly desc: number; readonly avail: number; readonly used: number } {
    const desc = 0x1000 + QUEUE_BYTES * queue;
    return { desc, avail: desc + 0x1000, used: desc + 0x2000 };
  }

  #word(at: number): DataView {
    return new DataView(this.bench.memory.buffer, at, 16);
  }

  /** Memory nobody has had. */
  room(length: number): number {
    const at = this.#free;
    this.#free += Math.ceil(length / 16) * 16;
    return at;
  }

  add(queue: number, pieces: readonly Piece[]): void {
    const { desc, avail } = this.ring(queue);
    const size = queue === this.#control ? CONTROL_SIZE : SIZE;
    const head = this.#next[queue]! % size;
    for (const [at, [gpa, length, isWritten = false]] of pieces.entries()) {
      const isLast = at === pieces.length - 1;
      const place = this.#word(desc + 16 * ((head + at) % size));
      place.setBigUint64(0, BigInt(gpa), true);
      place.setUint32(8, length, true);
      place.setUint16(12, (isWritten ? WRITE : 0) | (isLast ? 0 : NEXT), true);
      place.setUint16(14, isLast ? 0 : (head + at + 1) % size, true);
    }
    this.#next[queue]! += pieces.length;
    this.#word(avail + 4 + 2 * (this.#made[queue]! % size)).setUint16(0, head, true);
    this.#made[queue]! += 1;
    this.#word(avail + 2).setUint16(0, this.#made[queue]!, true);
  }

  kick(queue: number): void {
    this.bench.write(4 * queue, queue, 2, REGION.notify);
  }

  /** A frame of so many bytes behind a header. */
  frame(length: number, header = HEADER, queue: number = TX, said: ArrayLike<number> = []): void {
    const at = this.room(header + length);
    this.bench.memory.fill(length & 0xff, at + header, at + header + length);
    this.bench.memory.set(said, at);
    this.add(queue, [[at, header + length]]);
  }

  /** Buffers of these lengths. Returns where they are. */
  buffers(...lengths: readonly number[]): number[] {
    return this.buffersOf(RX, ...lengths);
  }

  buffersOf(queue: number, ...lengths: readonly number[]): number[] {
    return lengths.map((length) => {
      const at = this.room(length);
      this.add(queue, [[at, length, true]]);
      return at;
    });
  }

  command(cls: number, command: number, ...data: readonly number[]): number {
    const at = this.room(2 + data.length + 1);
    this.bench.memory.set([cls, command, ...data, 0xee], at);
    this.add(this.#control, [
      [at, 2 + data.length],
      [at + 2 + data.length, 1, true],
    ]);
    this.kick(this.#control);
    return this.bench.memory[at + 2 + data.length]!;
  }

  /** How many were given back, and whether notifications are wanted. */
  used(queue: number): { readonly index: number; readonly isQuiet: boolean } {
    const place = this.#word(this.ring(queue).used);
    return { index: place.getUint16(2, true), isQuiet: (place.getUint16(0, true) & 1) !== 0 };
  }

  /** What drivers did wrong, as QEMU says it. */
  get errors(): string[] {
    return this.bench.raised.flatMap((event) => (event.kind === 'sim:virtio_error' ? [event.why] : []));
  }
}
