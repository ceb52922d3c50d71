import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { fold, rerun } from '../../src/cli/replay-commands.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { NODE } from '../../src/host/node.ts';
import { endOf } from '../../src/replay/places.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { openSession } from '../../src/runs/underway/open-session.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { divergenceOf, type RecordedGuest, recordGuest } from '../../src/testing/recorded-guest.ts';
import { without } from '../stepping-aside.ts';
import { printed, scratchFolder } from './command-line.ts';

vi.mock('../../src/devices/catalog.ts', async (original) => ({
  ...(await original<object>()),
  ...(await import('../devices/pci/raiser.ts')).raisers,
  isaEcho: (await import('../devices/echo.ts')).isaEcho,
}));

const FOLDER = scratchFolder();
const EXIT = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'];
const program = (name: string): string => fileURLToPath(new URL(`devices/${name}.elf`, import.meta.url));

const run = (name: string, device: string): RecordedGuest =>
  recordGuest(join(FOLDER, `${device}.trace`), [
    ...['-nic', 'none', '-device', device, ...EXIT, '-kernel', program(name)],
    ...['--wall-clock', '1700000000'],
  ]);

const arrayOf = ({ trace }: RecordedGuest): Stamped[] => {
  const { events } = readAll(openTraceFile(trace));
  return Array.from({ length: events.length }, (_, at) => events[at] as Stamped);
};

/** Kinds from what made an event back to where it began. */
function causesOf(events: readonly Stamped[], from: Stamped): string[] {
  const kinds: string[] = [from.event.kind];
  for (let at = from.cause; at !== undefined; at = events[at]?.cause) kinds.push((events[at] as Stamped).event.kind);
  return kinds;
}

const injected = (events: readonly Stamped[], vector: number): Stamped[] =>
  events.filter(({ event }) => event.kind === 'kvm_inj_virq' && event.vector === vector);

/** Run again on the processor and without it, every event and every slice of the state comes out as recorded. */
async function expectHeld({ trace }: RecordedGuest): Promise<void> {
  expect(divergenceOf(trace, {})).toBeUndefined();
  const { timeline, verifier, events } = openTimeline(openRecordedRun(NODE, trace, {}), { every: 16 });
  const end = endOf(events);
  for (const place of [end, { seq: Math.floor(end.seq * 0.9), tick: 0 }, { seq: 1000, tick: 0 }, end]) {
    timeline.seek({ ...place, tick: (events[Math.min(place.seq, events.length - 1)] as Stamped).tick });
  }
  expect(verifier.divergence).toBeUndefined();
  expect(await printed((print) => fold(trace, print))).toMatch(/events folded, [1-9]\d* digests of \d+ slices equal/);
  expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
}

const EDU = 'ixmxmmok\n';
const QEMU = 'qemu-system-x86_64';
const noQemu =
  spawnSync(QEMU, ['--version']).status === 0
    ? undefined
    : ({ what: 'QEMU', why: `There is no ${QEMU} here.`, kind: 'tool' } as const);

describe('a guest with an ISA device that has a chardev', () => {
  const argv = (trace: string): string[] => [
    ...['-nic', 'none', '-serial', 'none', '-chardev', 'stdio,id=c', '-device', 'isa-echo,chardev=c', ...EXIT],
    ...['-kernel', program('echo'), '--wall-clock', '1700000000', '--trace', trace],
  ];

  test('is told what is typed and prints what it says', async () => {
    const trace = join(FOLDER, 'echo.trace');
    const options = runOptions(argv(trace));
    expect(options.characters).toMatchObject([{ dev: 'isa-echo#0', backend: { to: 'stdio' }, hears: true }]);
    const said: number[] = [];
    const character = (dev: string, bytes: Uint8Array): void => {
      if (dev === 'isa-echo#0') said.push(...bytes);
    };
    const session = openSession(NODE, options, { serial: () => undefined, character });
    session.type('isa-echo#0', Buffer.from('hello\n'));
    expect(session.run(60_000, false)).toMatchObject({ pause: 'ended', end: { status: 0x21 } });
    session.close();
    expect(Buffer.from(said).toString()).toBe('hello\n');
    const { events } = readAll(openTraceFile(trace));
    const all = Array.from({ length: events.length }, (_, at) => events[at] as Stamped);
    const input = all.find(({ event }) => event.kind === 'sim:chardev_received') as Stamped;
    const pin = all.find(({ event }) => event.kind === 'sim:irq_line' && event.pin === 'heard') as Stamped;
    expect([input.event, pin.cause]).toEqual([
      { kind: 'sim:chardev_received', dev: 'isa-echo#0', bytes: Uint8Array.from(Buffer.from('hello\n')) },
      input.seq,
    ]);
    await expectHeld({ trace, status: 0, console: '' });
  });

  test('is not told what is typed at a device that is not there', () => {
    const session = openSession(NODE, runOptions(argv(join(FOLDER, 'nobody.trace'))), {
      serial: () => undefined,
      character: () => undefined,
    });
    session.type('isa-echo#1', Buffer.from('x'));
    expect(() => session.run(60_000, false)).toThrow('There is no device isa-echo#1 to type at.');
    session.close();
  });
});

describe('a guest with an edu device', () => {
  test('takes its interrupts by pin and by message, and moves bytes by DMA', async () => {
    const guest = run('edu', 'edu');
    expect([guest.console, guest.status]).toEqual([EDU, 0x21]);
    const events = arrayOf(guest);
    const [byPin] = injected(events, 0x73);
    expect(causesOf(events, byPin as Stamped)).toEqual(
      expect.arrayContaining(['kvm_set_irq', 'sim:irq_line', 'sim:timer_fire', 'memory_region_ops_write']),
    );
    const byMessage = injected(events, 0x51);
    expect(byMessage.length).toBe(3);
    expect(causesOf(events, byMessage[0] as Stamped).slice(0, 5)).toEqual([
      ...['kvm_inj_virq', 'kvm_apic_accept_irq', 'kvm_msi_set_irq'],
      ...['sim:timer_fire', 'sim:timer_arm'],
    ]);
    await expectHeld(guest);
  });

  test('prints what it prints on QEMU', without(noQemu), () => {
    const machine = ['-M', 'pc,accel=tcg', '-display', 'none', '-nodefaults', '-serial', 'stdio'];
    const options = [...machine, '-device', 'edu', ...EXIT, '-kernel', program('edu')];
    const { stdout, status } = spawnSync(QEMU, options, { encoding: 'utf8', timeout: 60_000 });
    expect([stdout, status]).toEqual([EDU, 0x21]);
  });
});

describe.each(['raiser', 'raiser-irqfd'])('a guest with MSI-X: %s', (device) => {
  test('takes its vectors, those that waited once they may', async () => {
    const guest = run('msix', device);
    expect([guest.console, guest.status]).toEqual(['1u0f10\n', 0x21]);
    const events = arrayOf(guest);
    const [first] = injected(events, 0x51);
    const raised = causesOf(events, first as Stamped);
    const byIrqfd = device === 'raiser-irqfd';
    expect(raised).toEqual(expect.arrayContaining(['kvm_apic_accept_irq', 'kvm_msi_set_irq']));
    expect(raised.includes('sim:eventfd_signal')).toBe(byIrqfd);
    expect(raised).not.toContain('kvm_set_irq');
    expect(events.some(({ event }) => event.kind === 'kvm_set_irq' && event.gsi === 2 && event.level === 1)).toBe(
      false,
    );
    await expectHeld(guest);
  });

  test('and one that waited names what raised it, not what let it go', () => {
    const events = arrayOf(run('msix', device));
    const [waited] = injected(events, 0x50);
    const writes = events.filter(({ event }) => event.kind === 'memory_region_ops_write' && event.name === 'raise');
    const raised = writes.find(({ event }) => event.kind === 'memory_region_ops_write' && event.value === 0);
    const seqs: (number | undefined)[] = [];
    for (let at = waited?.cause; at !== undefined; at = events[at]?.cause) seqs.push(at);
    expect(seqs).toContain(raised?.seq);
  });
});
