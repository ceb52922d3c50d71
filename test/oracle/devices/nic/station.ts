/** One machine with a network card at one end of a wire, ours or a real QEMU, as scripts see it. */
import type { PropertyValue } from '../../../../src/devices/properties.ts';
import { digestOfBytes } from '../../../../src/base/digest.ts';
import { hexadecimal } from '../../../../src/base/bytes.ts';
import { ConfigSpace, type Guest, hex, type Say } from '../virtio/guest.ts';

export { hex, type Say } from '../virtio/guest.ts';

export const MAC = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

/** A machine that runs no guest: a script plays its driver, and whoever is at the other end of the wire. */
export interface Machine extends Pick<Guest, 'in' | 'out' | 'read' | 'write' | 'peek' | 'poke' | 'reset'> {
  /** A frame comes from the other end; what follows has happened. */
  offer(frame: Uint8Array): Promise<void>;
  /** Frames that have come to the other end since it was asked last. */
  frames(): Promise<readonly Uint8Array[]>;
  /** Virtual time. */
  pass(ms: number): Promise<void>;
  /** A cable is plugged or pulled. */
  link(up: boolean): Promise<void>;
  /** Cards are announced so often; a second goes by. */
  announce(rounds: number, interfaces?: string): Promise<void>;
}

/** A script. What it says must be the same of both machines. */
export interface Scene<S extends Station> {
  readonly name: string;
  readonly properties?: Readonly<Record<string, PropertyValue>>;
  /** Time stands still: no timer fires, and no frame moves. */
  readonly isStill?: boolean;
  script(station: S, say: Say): Promise<void>;
}

/** A card: QEMU's name of it, its scenes by the file they are recorded in, and how a driver has it. */
export interface Card<S extends Station> {
  readonly driver: string;
  readonly scenes: Readonly<Record<string, readonly Scene<S>[]>>;
  station(machine: Machine): S;
}

export const titleOf = ({ name }: { readonly name: string }): string => `## ${name}`;

const INTERRUPT = 8;

/** A card as its driver has it. */
export abstract class Station {
  readonly machine: Machine;
  readonly config: ConfigSpace;
  /** Where its registers are. */
  readonly bar: number;

  constructor(machine: Machine, bar: number) {
    this.machine = machine;
    this.bar = bar;
    this.config = new ConfigSpace(machine as unknown as Guest);
  }

  /** BARs at their places. */
  abstract place(command?: number): Promise<void>;

  read(register: number, size: 1 | 2 | 4 = 4): Promise<number> {
    return this.machine.read(this.bar + register, size);
  }

  write(register: number, value: number, size: 1 | 2 | 4 = 4): Promise<void> {
    return this.machine.write(this.bar + register, size, value >>> 0);
  }

  /** Whether the pin is driven. */
  async isRaised(): Promise<boolean> {
    return ((await this.config.read(6, 2)) & INTERRUPT) !== 0;
  }

  /** Registers by name, those that are not zero. */
  async values(registers: Readonly<Record<string, number>>): Promise<string> {
    const found: string[] = [];
    for (const [name, offset] of Object.entries(registers)) {
      const value = await this.read(offset);
      if (value !== 0) found.push(`${name} ${hex(value)}`);
    }
    return found.join(' ');
  }
}

const SHOWN = 40;

/** Bytes on a line: all of few, the first of many with a digest of all. */
export function bytesText(bytes: Uint8Array): string {
  const first = hexadecimal(bytes.subarray(0, SHOWN));
  return bytes.length <= SHOWN ? first : `${first} ${digestOfBytes(bytes)}`;
}
