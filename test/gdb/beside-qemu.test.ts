import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { NO_SYMBOLS } from '../../src/debugger/symbols/symbols.ts';
import { answerView } from '../../src/debugger/views/asked.ts';
import { NODE } from '../../src/host/node.ts';
import { peekDevice, peekLinear } from '../../src/machine/device-peek.ts';
import { registersOf } from '../../src/machine/guest-view.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { recordRun } from '../debugger/recorded-tour.ts';
import { LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import {
  type BuiltGuest,
  buildGuest,
  gdbAt,
  gdbOn,
  guestOptions,
  NO_COMPILER,
  NO_GDB,
  NO_QEMU,
  seek,
  type Served,
  serveHere,
  serveQemu,
} from './stock-gdb.ts';

const folder = scratchFolder();
const trace = join(folder, 'guest.trace');
const MINUTES = 120_000;
/** What a script shows of where it came to. */
const PLACE = ['echo @\\n', 'output/a $pc', 'echo \\n'];
const PLACES = /^Breakpoint \d+, .*|(?<=^@\n).*/gm;

let guest: BuiltGuest;
let served: Served;
beforeAll(async () => {
  guest = buildGuest(folder);
  recordRun([...guestOptions(guest), '--trace', trace]);
  served = await serveHere(trace, folder);
}, MINUTES);
afterAll(() => served?.stop());

/** Scripts of gdb's, whose places both stubs must come to. */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  'set $pc to a breakpoint, then continue': ['break *factorial', 'set $pc = factorial', 'continue'],
  'jump to a breakpoint': ['break *factorial', 'jump *factorial'],
  'a call of a function with a breakpoint': ['break *factorial', 'print factorial(3)'],
  'set $pc to a breakpoint, then stepi': ['break *factorial', 'set $pc = factorial', 'stepi'],
  'stepi and continue where nobody wrote RIP': ['break *factorial', 'continue', 'stepi', 'continue'],
  'jump *$pc at a breakpoint': ['break *factorial', 'continue', 'jump *$pc'],
};

describe("gdb's scripts come to the same places as with QEMU's stub", without(NO_GDB, NO_COMPILER, NO_QEMU), () => {
  test.each(Object.entries(SCRIPTS))('%s', { ...LONG, timeout: MINUTES }, async (_name, script) => {
    const begin = ['hbreak sum_of_squares', 'continue', 'delete', ...PLACE];
    const commands = [...begin, ...script.flatMap((line) => [line, ...PLACE])];
    const qemu = await serveQemu(folder, guest);
    const there = await gdbAt(qemu, folder, [...commands, 'kill'], [guest.symbols]);
    qemu.stop();
    const here = await gdbOn(served, folder, [...seek('begin'), ...commands], [guest.symbols]);
    const places = (out: string): string[] => out.match(PLACES) ?? [];
    expect(places(there).length).toBeGreaterThan(script.length);
    expect(places(here)).toEqual(places(there));
  });
});

describe('a breakpoint on an INT3 of the guest', without(NO_GDB, NO_COMPILER), () => {
  // QEMU's stub does not tell software breakpoints from others, so that gdb takes its stop for one of the INT3 itself.
  test('is stepped past: gdb writes RIP + 1, waits there and continues', { ...LONG, timeout: MINUTES }, async () => {
    const begin = ['hbreak sum_of_squares', 'continue', 'delete', ...PLACE];
    const change = ['set {char}$pc = 0xcc', 'break *$pc', 'stepi', ...PLACE];
    const out = await gdbOn(served, folder, [...seek('begin'), ...begin, ...change], [guest.symbols]);
    const [at, next] = (out.match(PLACES) ?? [])
      .filter((line) => line.startsWith('0x'))
      .map((line) => parseInt(line, 16));
    expect(next).toBe((at as number) + 1);
  });
});

describe('reverse-stepi over a watched write', without(NO_GDB, NO_COMPILER), () => {
  test('reports it as stepi does, so that the next one forward is not lost', {
    ...LONG,
    timeout: MINUTES,
  }, async () => {
    const write = ['watch counter', 'continue', 'echo @\\n', 'reverse-stepi', 'echo @\\n', 'stepi', 'echo @\\n'];
    const again = ['reverse-step', 'continue', 'reverse-next', 'continue'].flatMap((line) => [line, 'echo @\\n']);
    const out = await gdbOn(served, folder, [...seek('begin'), ...write, ...again], [guest.symbols]);
    const [first, back, forth, step, on, next, last] = out
      .split('@\n')
      .map((text) => text.match(/(?<=value = )\d+/g)?.map(Number));
    const [before, after] = first ?? [];
    expect(after).not.toBe(before);
    expect([back, forth, step, on, next, last]).toEqual([
      [after, before],
      [before, after],
      [after, before],
      [before, after],
      [after, before],
      [before, after],
    ]);
  });
});

describe('registers of devices', without(NO_GDB, NO_COMPILER), () => {
  /** IOREGSEL, and the HPET's capabilities and period. QEMU's stub reads zeros of a LAPIC, which are a vCPU's alone. */
  const READ = ['x/wx 0xfec00000', 'x/wx 0xfed00000', 'x/wx 0xfed00004'];
  const read = (out: string): string[] => out.match(/^0xfe.*:\t0x.*$/gm) ?? [];

  test('are read as by QEMU, whose guest has set nothing up either', {
    ...LONG,
    ...without(NO_QEMU),
    timeout: MINUTES,
  }, async () => {
    const qemu = await serveQemu(folder, guest);
    const there = await gdbAt(qemu, folder, ['hbreak *start', 'continue', ...READ, 'kill'], [guest.symbols]);
    qemu.stop();
    const here = await gdbOn(served, folder, [...seek('begin'), ...READ], [guest.symbols]);
    expect(read(there)).toHaveLength(READ.length);
    expect(read(here)).toEqual(read(there));
  });

  test('that page tables map are read as the guest itself reads them, and nothing changes', LONG, () => {
    const tour = join(folder, 'tour.trace');
    recordRun(['--trace', tour]);
    const { timeline, events } = openTimeline(openRecordedRun(NODE, tour, {}));
    const { machine } = timeline;
    const view = { machine };
    const word = (address: bigint): number | undefined => {
      const bytes = peekLinear(view, 0, address, 4)?.bytes;
      return bytes === undefined ? undefined : Buffer.from(bytes).readUInt32LE();
    };
    let compared = 0;
    let standsAt = 0;
    for (const { event, tick } of events) {
      const isHpet = event.kind === 'memory_region_ops_read' && event.addr === 0xfed00000;
      const isId = event.kind === 'kvm_apic' && event.rw === 0 && event.reg === 0x20;
      if (!isHpet && !isId) continue;
      timeline.seek(tick - 1);
      const isX2apic = ((machine.state.kvm.vm?.irqchip?.lapics[0]?.apicBase ?? 0) & 0x400) !== 0;
      if (isId && isX2apic) continue;
      standsAt = tick - 1;
      const before = digestOf(machine.state);
      expect(isHpet ? word(0xfed00000n) : word(0xfee00020n)).toBe(Number('value' in event ? event.value : event.val));
      for (const page of [0xfee00000, 0xfec00000, 0xfed00000]) {
        for (let at = 0; at < 4096; at += 4) peekDevice(view, 0, page + at, 4);
      }
      expect(digestOf(machine.state)).toBe(before);
      compared += 1;
    }
    expect(compared).toBeGreaterThan(0);
    timeline.seek(standsAt);
    // Paging is on, and the prompt says whose they are.
    expect(registersOf(view, 0).cr0 & (1n << 31n)).not.toBe(0n);
    const asked = (line: string): string => answerView({ view, vcpu: 0, symbols: NO_SYMBOLS }, line) ?? '';
    expect(asked('x/1xw 0xfed00000')).toBe('Registers of hpet:\n0xfed00000: 0x8086a201');
    expect(asked('translate 0xfed00000')).toContain('guest-physical 0xfed00000: registers of hpet');
    timeline.seek(0);
    expect(asked('x/1xw 0xfee00030')).toBe('Registers of kvm-apic-msi:\n0xfee00030: 0x00050014');
    // A read of a reserved register sets an error bit.
    expect(() => asked('x/1xw 0xfee00040')).toThrow('a read would change');
  });
});
