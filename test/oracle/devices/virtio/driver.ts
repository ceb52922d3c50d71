/** A driver's side of virtio over PCI, as scripts need it: it does right until it is told to do wrong. */
import { bytesOf, ConfigSpace, type Guest, hex, numberOf, PLACE, placed, structure } from './guest.ts';

export const NO_VECTOR = 0xffff;
export const F = { indirect: 2 ** 28, eventIdx: 2 ** 29 } as const;

const C = structure('common');
const MESSAGES = 0x28_0000;
const PAGE = 4096;

export interface DriverOptions {
  readonly isModern: boolean;
  readonly hasMsix: boolean;
  /** Low word of the features it wants; VERSION_1 comes by itself, with those of `high`. */
  readonly features: number;
  readonly high?: number;
  /** Vectors it knows; usually two. */
  readonly vectors?: number;
  /** From where on memory is its own; what others left there is not looked at. */
  readonly memory?: number;
}

/** A descriptor of a request: where, how long, and whether the device writes it. */
export type Piece = readonly [gpa: number, length: number, isWritten: boolean];

/** A descriptor as it lies in memory. */
export type Raw = readonly [gpa: number, length: number, flags: number, next?: number];

export const rawBytes = ([gpa, length, flags, next = 0]: Raw): Uint8Array =>
  Uint8Array.from([...bytesOf(gpa, 8), ...bytesOf(length), ...bytesOf(flags, 2), ...bytesOf(next, 2)]);

export class Driver {
  readonly guest: Guest;
  readonly options: DriverOptions;
  readonly config: ConfigSpace;
  #free: number;

  constructor(guest: Guest, options: DriverOptions) {
    this.guest = guest;
    this.options = options;
    this.#free = options.memory ?? 0x30_0000;
    this.config = new ConfigSpace(guest);
  }

  get #vectors(): number {
    return this.options.vectors ?? 2;
  }

  /** Memory nobody has had yet, which is zero. */
  alloc(length: number, alignment = PAGE): number {
    const at = Math.ceil(this.#free / alignment) * alignment;
    this.#free = at + length;
    return at;
  }

  /** BARs, and messages into memory, where they are seen. */
  async place(): Promise<void> {
    const msix = await placed(this.guest);
    if (!this.options.hasMsix) return;
    for (let vector = 0; vector < this.#vectors; vector++) {
      const words = [MESSAGES + 4 * vector, 0, 0xa0 + vector, 0];
      for (const [at, word] of words.entries()) await this.guest.write(PLACE.msix + 16 * vector + 4 * at, 4, word);
    }
    await this.config.write(msix + 2, 2, 0x8000);
  }

  /** Up to the features: those it gets. */
  async begin(): Promise<number> {
    const { guest } = this;
    const { features, isModern, high = 0 } = this.options;
    for (const value of [0, 1, 3]) await this.setStatus(value);
    if (!isModern) {
      const taken = (features & (await guest.in(PLACE.io, 4))) >>> 0;
      await guest.out(PLACE.io + 4, 4, taken);
      return taken;
    }
    await guest.write(C, 4, 0);
    const taken = (features & (await guest.read(C + 4, 4))) >>> 0;
    for (const [select, word] of [
      [0, taken],
      [1, 1 + high],
    ] as const) {
      await guest.write(C + 8, 4, select);
      await guest.write(C + 12, 4, word);
    }
    await this.setStatus(0xb);
    if (this.options.hasMsix) await guest.write(C + 16, 2, 0);
    return taken;
  }

  async setStatus(value: number): Promise<void> {
    if (this.options.isModern) await this.guest.write(C + 20, 1, value);
    else await this.guest.out(PLACE.io + 18, 1, value);
  }

  async ready(): Promise<void> {
    await this.setStatus(this.options.isModern ? 0xf : 7);
    await this.guest.settle();
  }

  async status(): Promise<string> {
    const { guest } = this;
    return hex(this.options.isModern ? await guest.read(C + 20, 1) : await guest.in(PLACE.io + 18, 1), 2);
  }

  /** Reading it takes it. */
  async isr(): Promise<string> {
    const { guest } = this;
    return hex(this.options.isModern ? await guest.read(structure('isr'), 1) : await guest.in(PLACE.io + 19, 1), 2);
  }

  /** Messages since they were looked at last. */
  async messages(): Promise<string> {
    const found: string[] = [];
    for (let vector = 0; vector < this.#vectors; vector++) {
      const data = await this.guest.read(MESSAGES + 4 * vector, 4);
      if (data === 0) continue;
      found.push(`vector ${vector} data ${hex(data)}`);
      await this.guest.write(MESSAGES + 4 * vector, 4, 0);
    }
    return found.join(' ');
  }

  async queue(number = 0, size?: number, vector = 1): Promise<Queue> {
    return this.options.isModern ? this.#modernQueue(number, size, vector) : this.#legacyQueue(number, vector);
  }

  async #modernQueue(number: number, wanted: number | undefined, vector: number): Promise<Queue> {
    const { guest } = this;
    await guest.write(C + 22, 2, number);
    if (wanted !== undefined) await guest.write(C + 24, 2, wanted);
    const size = await guest.read(C + 24, 2);
    const desc = this.alloc(16 * size);
    const avail = this.alloc(6 + 2 * size);
    const used = this.alloc(6 + 8 * size);
    await this.enable({ desc, avail, used }, vector);
    return new Queue(this, { number, size, desc, avail, used });
  }

  /** The parts of the queue that is selected. */
  async enable(
    parts: { readonly desc: number; readonly avail: number; readonly used: number },
    vector = 1,
  ): Promise<void> {
    const { guest } = this;
    for (const [at, gpa] of [
      [32, parts.desc],
      [40, parts.avail],
      [48, parts.used],
    ] as const) {
      await guest.write(C + at, 4, gpa % 2 ** 32);
      await guest.write(C + at + 4, 4, Math.floor(gpa / 2 ** 32));
    }
    await guest.write(C + 26, 2, this.options.hasMsix ? vector : NO_VECTOR);
    await guest.write(C + 28, 2, 1);
  }

  async #legacyQueue(number: number, vector: number): Promise<Queue> {
    const { guest } = this;
    await guest.out(PLACE.io + 14, 2, number);
    const size = await guest.in(PLACE.io + 12, 2);
    const avail = 16 * size;
    const used = Math.ceil((avail + 6 + 2 * size) / PAGE) * PAGE;
    const desc = this.alloc(used + 6 + 8 * size);
    await guest.out(PLACE.io + 8, 4, desc / PAGE);
    if (this.options.hasMsix) {
      await guest.out(PLACE.io + 20, 2, 0);
      await guest.out(PLACE.io + 22, 2, vector);
    }
    return new Queue(this, { number, size, desc, avail: desc + avail, used: desc + used });
  }
}

interface Ring {
  readonly number: number;
  readonly size: number;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
}

/** A queue as its driver keeps it. */
export class Queue {
  readonly ring: Ring;
  readonly #driver: Driver;
  #nextDescriptor = 0;
  #available = 0;
  #seen = 0;

  constructor(driver: Driver, ring: Ring) {
    this.#driver = driver;
    this.ring = ring;
  }

  /** Both indices have come to `index` already. */
  async goOnFrom(index: number): Promise<void> {
    this.#available = index;
    this.#seen = index;
  }

  /** A request's descriptors, by a table of their own or in the ring, and the ring tells of them. */
  async add(pieces: readonly Piece[], isIndirect = false): Promise<void> {
    const { size, desc } = this.ring;
    const head = this.#nextDescriptor % size;
    const links = pieces.map(([gpa, length, isWritten], at): Raw => {
      const isLast = at === pieces.length - 1;
      const next = isIndirect ? at + 1 : (head + at + 1) % size;
      return [gpa, length, (isWritten ? 2 : 0) | (isLast ? 0 : 1), isLast ? 0 : next];
    });
    if (isIndirect) {
      const table = this.#driver.alloc(16 * links.length, 16);
      await this.table(table, links);
      await this.#driver.guest.poke(desc + 16 * head, rawBytes([table, 16 * links.length, 4]));
      this.#nextDescriptor += 1;
    } else {
      for (const [at, link] of links.entries()) {
        await this.#driver.guest.poke(desc + 16 * ((head + at) % size), rawBytes(link));
      }
      this.#nextDescriptor += links.length;
    }
    await this.offer(head);
  }

  async table(gpa: number, rows: readonly Raw[]): Promise<void> {
    await this.#driver.guest.poke(gpa, Uint8Array.from(rows.flatMap((row) => [...rawBytes(row)])));
  }

  /** The ring tells of a chain. */
  async offer(head: number, index?: number): Promise<void> {
    const { avail, size } = this.ring;
    const { guest } = this.#driver;
    await guest.write(avail + 4 + 2 * (this.#available % size), 2, head);
    this.#available = (this.#available + 1) & 0xffff;
    await guest.write(avail + 2, 2, index ?? this.#available);
  }

  async kick(): Promise<void> {
    const { number } = this.ring;
    const { guest, options } = this.#driver;
    if (options.isModern) await guest.write(structure('notify') + 4 * number, 2, number);
    else await guest.out(PLACE.io + 16, 2, number);
    await guest.settle();
  }

  /** avail.flags, or used_event. */
  async setFlags(value: number): Promise<void> {
    await this.#driver.guest.write(this.ring.avail, 2, value);
  }

  async setUsedEvent(value: number): Promise<void> {
    await this.#driver.guest.write(this.ring.avail + 4 + 2 * this.ring.size, 2, value);
  }

  get seen(): number {
    return this.#seen;
  }

  /** The used ring, and what is new of it, sorted: in which order disks complete a burst is a host's own business. */
  async state(isSorted = true): Promise<string> {
    const { used, size } = this.ring;
    const { guest } = this.#driver;
    const [flags, index] = [await guest.read(used, 2), await guest.read(used + 2, 2)];
    const event = await guest.read(used + 4 + 8 * size, 2);
    const entries: string[] = [];
    for (; this.#seen !== index && entries.length < size; this.#seen = (this.#seen + 1) & 0xffff) {
      const entry = await guest.peek(used + 4 + 8 * (this.#seen % size), 8);
      entries.push(`{id ${numberOf(entry.subarray(0, 4))} len ${numberOf(entry.subarray(4))}}`);
    }
    const all = (isSorted ? entries.sort() : entries).join(' ');
    return `used.flags ${flags} used.idx ${index} avail_event ${event} new ${all || '-'}`;
  }
}
