/**
 * What the controller is like at reset, and which bits of it can be written: the script of a capture of QEMU 7.2, line
 * by line (`../recorded/e1000/reset.txt`).
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Bench, bench } from '../../../vmm/bench.ts';
import { bytesOf, dumpOf, hex, numberOf } from '../virtio/guest.ts';

const BAR = 0xfeb8_0000;
const PORTS = 0xc000;
const MS = 1_000_000;

/** The machine of the capture. */
class Machine {
  readonly #bench: Bench = bench({
    devices: [{ driver: 'e1000', properties: { mac: '52:54:00:12:34:56', addr: '04.0' } }],
  });

  constructor() {
    this.configWrite(0x10, 4, BAR);
    this.configWrite(0x14, 4, PORTS);
    this.configWrite(4, 2, 7);
  }

  read(register: number): number {
    return numberOf(this.#bench.read(BAR + register, 4));
  }

  write(register: number, value: number): void {
    this.#bench.store(BAR + register, bytesOf(value));
  }

  in(port: number): number {
    return this.#bench.in(port, 4);
  }

  out(port: number, value: number): void {
    this.#bench.out(port, 4, value);
  }

  config(register: number): number {
    this.#bench.out(0xcf8, 4, 0x8000_2000 + (register & 0xfc));
    return this.#bench.in(0xcfc + (register & 3), 2);
  }

  configWrite(register: number, size: number, value: number): void {
    this.#bench.out(0xcf8, 4, 0x8000_2000 + register);
    this.#bench.out(0xcfc, size, value);
  }

  passTo(ms: number): void {
    this.#bench.passTo(ms * MS);
  }

  /** All registers. */
  registers(): number[] {
    return Array.from({ length: 0x8000 }, (_, at) => this.read(4 * at));
  }
}

type Say = (line: string) => void;

const word = (value: number): string => hex(value, 8);

function changes(before: readonly number[], after: readonly number[], say: Say): void {
  for (const [at, value] of after.entries()) {
    if (before[at] !== value) say(`${hex(4 * at, 5)} ${word(before[at]!)} -> ${word(value)}`);
  }
}

function atReset(machine: Machine, say: Say): readonly number[] {
  say('# MMIO registers that do not read zero at power-on (offset value); read twice in a row, 20000h bytes');
  const first = machine.registers();
  for (const [at, value] of first.entries()) if (value !== 0) say(`${hex(4 * at, 5)} ${word(value)}`);
  say('# what changed on the second reading (read-clear and counters)');
  changes(first, machine.registers(), say);
  return first;
}

function eeprom(machine: Machine, say: Say): void {
  say('# EEPROM, 64 words by EERD (0x14): write word<<8|1, read value>>16 (bit 4 done)');
  const answers = Array.from({ length: 64 }, (_, at) => {
    machine.write(0x14, (at << 8) | 1);
    return machine.read(0x14);
  });
  const words = answers.map((answer) => answer >>> 16);
  dumpOf(Uint8Array.from(words.flatMap((each) => [...bytesOf(each, 2)]))).forEach(say);
  const sum = words.reduce((total, each) => total + each, 0) & 0xffff;
  say(`last EERD value ${word(answers[63]!)}; sum of 64 words mod 65536 = ${hex(sum, 4)}`);
  machine.write(0x10, 0x40);
  say(`# EEPROM through EECD bit-banging: EECD after request ${word(machine.read(0x10))}`);
}

function mdic(machine: Machine, command: number): string {
  machine.write(0x20, command);
  return word(machine.read(0x20));
}

function phy(machine: Machine, say: Say): void {
  say('# PHY registers 0..31 by MDIC (0x20): write 0x08200000|reg<<16, read');
  for (let at = 0; at < 32; at++) {
    say(`phy ${String(at).padStart(2)} mdic ${mdic(machine, 0x0820_0000 | (at << 16))}`);
  }
  say('# PHY address 0 instead of 1');
  say(`mdic ${mdic(machine, 0x0800_0000 | (2 << 16))}`);
}

function ports(machine: Machine, say: Say): void {
  say('# I/O BAR: IOADDR <- 8 (STATUS), IODATA');
  machine.out(PORTS, 8);
  say(`ioaddr ${word(machine.in(PORTS))} iodata ${word(machine.in(PORTS + 4))}`);
}

function resets(machine: Machine, before: readonly number[], say: Say): void {
  say('# CTRL software reset: CTRL <- 04140240h, then registers against power-on');
  machine.write(0, 0x414_0240);
  changes(before, machine.registers(), say);
}

function causes(machine: Machine, say: Say): void {
  say('# interrupt cause: IMS <- 9d (as Linux), ICS <- 4 (LSC)');
  machine.write(0xd0, 0x9d);
  machine.write(0xc8, 4);
  const [one, other, mask] = [0xc0, 0xc0, 0xd0].map((register) => word(machine.read(register)));
  say(`ICR ${one} then ICR ${other} IMS ${mask} status reg of PCI ${hex(machine.config(6), 4)}`);
  // Mitigation is over: between two commands of the capture a millisecond or so went by.
  machine.passTo(1);
  machine.write(0xc8, 4);
  const waits = hex(machine.config(6), 4);
  say(`before ICR read: PCI status ${waits} ICS reads ${word(machine.read(0xc8))}`);
  say(`ICR ${word(machine.read(0xc0))}, PCI status ${hex(machine.config(6), 4)}`);
}

function negotiation(machine: Machine, say: Say): void {
  say('# autonegotiation: PHY 0 <- 1200h (restart), the guest halted, real time');
  say(`mdic ${mdic(machine, 0x0420_1200)} STATUS ${word(machine.read(8))}`);
  say(`phy1 right after ${mdic(machine, 0x0821_0000)}`);
  let now = 1;
  // The capture waited by a clock on a wall, which had gone on a little more each time.
  for (const [name, ms] of Object.entries({ 100: 100, 399: 401 })) {
    machine.passTo((now += ms));
    say(status(machine, name));
  }
  for (const ms of [1, 1, 500]) {
    machine.passTo((now += ms));
    say(status(machine, String(ms)));
  }
}

function status(machine: Machine, name: string): string {
  const link = mdic(machine, 0x0821_0000);
  return `+${name} ms: phy1 ${link} STATUS ${word(machine.read(8))} ICS ${word(machine.read(0xc8))}`;
}

/** Registers of which more than bits are read and written. */
const OTHERS = new Set([
  ...[0, 0x10, 0x14, 0x20, 0xc0, 0xc8, 0x100, 0x400, 0x2818, 0x3818, 0x3810, 0x2810, 0xd0, 0xd8],
]);

function writable(machine: Machine, say: Say): void {
  say('# which bits of each register can be written (write ffffffff then 0; only registers 0-5ffc; differences)');
  for (let register = 0; register < 0x6000; register += 4) {
    if (OTHERS.has(register)) continue;
    const before = machine.read(register);
    machine.write(register, 0xffff_ffff);
    const ones = machine.read(register);
    machine.write(register, 0);
    const zeros = machine.read(register);
    if (ones === zeros && ones === before) continue;
    say(`${hex(register, 5)} was ${word(before)} ones ${word(ones)} zeros ${word(zeros)}`);
  }
}

test('is at reset as QEMU 7.2 has it, and keeps the bits that are written as that does', () => {
  const url = new URL('../recorded/e1000/reset.txt', import.meta.url);
  const theirs = readFileSync(url, 'utf8').trimEnd().split('\n');
  const ours: string[] = [];
  const say: Say = (line) => void ours.push(line);
  const machine = new Machine();
  const first = atReset(machine, say);
  eeprom(machine, say);
  phy(machine, say);
  ports(machine, say);
  resets(machine, first, say);
  causes(machine, say);
  negotiation(machine, say);
  writable(new Machine(), say);
  expect(ours).toEqual(theirs);
});
