/** One machine with one virtio device, ours or a real QEMU, as scripts see it. */
import type { PropertyValue } from '../../../../src/devices/properties.ts';

export type Width = 1 | 2 | 4;

/** A machine that runs no guest: a script plays it by its accesses. */
export interface Guest {
  in(port: number, size: Width): Promise<number>;
  out(port: number, size: Width, value: number): Promise<void>;
  read(gpa: number, size: Width): Promise<number>;
  write(gpa: number, size: Width, value: number): Promise<void>;
  peek(gpa: number, length: number): Promise<Uint8Array>;
  poke(gpa: number, bytes: Uint8Array): Promise<void>;
  /** Wait until nothing is under way. */
  settle(): Promise<void>;
  /** Its disk has so many sectors of 512 bytes from now on. */
  resize(sectors: number): Promise<void>;
  /** The reset button. */
  reset(): Promise<void>;
  /** A frame comes over the wire of its network card. */
  send(frame: Uint8Array): Promise<void>;
  /** Frames that came out at the other end since it was asked last. */
  wire(): Promise<readonly Uint8Array[]>;
  /** The cable of its network card is plugged, or pulled. */
  link(up: boolean): Promise<void>;
  /** Network cards are announced so often. */
  announce(rounds: number): Promise<void>;
  /** What the machine complained of since it was asked last. */
  said(): readonly string[];
}

/** A line for a transcript. */
export type Say = (line: string) => void;

/** A script, and the device it is for. What it says must be the same of both machines. */
export interface Scene {
  readonly name: string;
  readonly driver: string;
  readonly properties: Readonly<Record<string, PropertyValue>>;
  script(guest: Guest, say: Say): Promise<void>;
}

/** Where the device is: the first free slot. */
const SLOT = 2;
const ADDRESS = 0xcf8;
const DATA = 0xcfc;

/** Where scripts put the BARs of the device. */
export const PLACE = { io: 0xc000, memory: 0xfe00_0000, msix: 0xfebf_0000 } as const;

const STRUCTURES = { common: 0, isr: 0x1000, device: 0x2000, notify: 0x3000 } as const;

/** Of the modern interface, as they lie in BAR 4. */
export const structure = (name: keyof typeof STRUCTURES): number => PLACE.memory + STRUCTURES[name];

export const hex = (value: number, digits = 1): string => value.toString(16).padStart(digits, '0');

export const bytesOf = (value: number, size = 4): Uint8Array =>
  Uint8Array.from({ length: size }, (_, at) => Math.floor(value / 2 ** (8 * at)) & 0xff);

export const numberOf = (bytes: Uint8Array): number => bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);

/** 16 bytes a line. */
export function dumpOf(bytes: Uint8Array): string[] {
  return Array.from({ length: Math.ceil(bytes.length / 16) }, (_, row) => {
    const some = [...bytes.subarray(16 * row, 16 * row + 16)];
    return `${hex(16 * row, 2)}: ${some.map((byte) => hex(byte, 2)).join(' ')}`;
  });
}

/** The configuration space of the device. */
export class ConfigSpace {
  readonly #guest: Guest;
  readonly #devfn: number;

  constructor(guest: Guest, devfn = SLOT * 8) {
    this.#guest = guest;
    this.#devfn = devfn;
  }

  async read(register: number, size: Width = 4): Promise<number> {
    await this.#select(register);
    return this.#guest.in(DATA + (register & 3), size);
  }

  async write(register: number, size: Width, value: number): Promise<void> {
    await this.#select(register);
    await this.#guest.out(DATA + (register & 3), size, value);
  }

  async bytes(): Promise<Uint8Array> {
    const bytes = new Uint8Array(256);
    for (let at = 0; at < 256; at += 4) bytes.set(bytesOf(await this.read(at)), at);
    return bytes;
  }

  /** Where a capability lies: the first of the list with this identity; 0: there is none. */
  async capability(id: number): Promise<number> {
    let at = await this.read(0x34, 1);
    while (at !== 0 && (await this.read(at, 1)) !== id) at = await this.read(at + 1, 1);
    return at;
  }

  async #select(register: number): Promise<void> {
    await this.#guest.out(ADDRESS, 4, 0x8000_0000 + this.#devfn * 256 + (register & 0xfc));
  }
}

const MSIX = 0x11;

/** BARs at their places, and all that is decoded on. Where MSI-X is; 0: there is none. */
export async function placed(guest: Guest, command = 7): Promise<number> {
  const config = new ConfigSpace(guest);
  if (((await config.read(0x10)) & 1) !== 0) await config.write(0x10, 4, PLACE.io);
  await config.write(0x14, 4, PLACE.msix);
  await config.write(0x20, 4, PLACE.memory);
  await config.write(0x24, 4, 0);
  await config.write(0x04, 2, command);
  return config.capability(MSIX);
}
