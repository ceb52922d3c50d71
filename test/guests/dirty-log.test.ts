import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { answerMonitor } from '../../src/cli/monitor.ts';
import { fold, rerun } from '../../src/cli/replay-commands.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { VOCABULARY } from '../../src/events/vocabulary.ts';
import { NODE } from '../../src/host/node.ts';
import { pagesOf } from '../../src/memory/page-bits.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { endOf } from '../../src/replay/places.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { openSession } from '../../src/runs/underway/open-session.ts';
import type { Session } from '../../src/runs/underway/session.ts';
import { divergenceOf } from '../../src/testing/recorded-guest.ts';
import type { Writer } from '../../src/vmm/dirty/state.ts';
import { LONG } from '../how-long.ts';
import { type Aside, tool, without } from '../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from './command-line.ts';
import { changedPages, measurementOf } from './logged-pages.ts';

const trace = join(scratchFolder(), 'dirty.trace');
const guest = fileURLToPath(new URL('devices/dirty.elf', import.meta.url));
const RAM = 16 << 20;
const MS = 1_000_000;

const pass = (session: Session, ms: number): unknown => session.runTo(session.now() + ms * MS, { isHeld: false });

function typed(session: Session, line: string): string {
  const { text, send } = answerMonitor(session, line);
  if (send !== undefined) session.send(send);
  return text;
}

const range = (from: number, count: number, step = 1): number[] =>
  Array.from({ length: count }, (_, at) => from + at * step);

/** Where an NMI pushes: the page of the program's stack. */
const STACK = 0x102;
const BY_EMULATION = [0xd00];
/** What the program's text says. */
const LISTED: Readonly<Record<Writer, readonly number[]>> = {
  kvm: [STACK, ...range(0x400, 200, 3), 0x800, 0x801, ...BY_EMULATION],
  qemu: [0xc00, 0xc01],
  vhost: [],
};

const eventText = ({ event }: Stamped): string => `${event.kind} ${VOCABULARY[event.kind].print(event as never)}`;

const RATE = ['Start Time: 0 (ms)', 'Sample Pages: 512 (per GB)', 'Period: 1 (sec)', 'Mode: dirty-bitmap'];

describe('a guest that writes pages while they are logged', LONG, () => {
  const said: Record<string, string> = {};
  let pages: Readonly<Record<Writer, readonly number[]>>;
  let events: readonly Stamped[];

  beforeAll(() => {
    const argv = ['-m', '16', '-nic', 'none', '-device', 'edu', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'];
    const options = runOptions([...argv, '-kernel', guest, '--wall-clock', '1700000000', '--trace', trace]);
    const session = openSession(NODE, options, { serial: () => undefined, character: () => undefined });
    pass(session, 10);
    said['asked'] = typed(session, 'calc_dirty_rate -b 1');
    typed(session, 'nmi');
    pass(session, 500);
    said['half'] = typed(session, 'info dirty_rate');
    said['twice'] = typed(session, 'calc_dirty_rate -b 1');
    pass(session, 600);
    said['over'] = typed(session, 'info dirty_rate');
    said['pages'] = typed(session, 'dirty 3');
    const { kvm, qemu, vhost } = session.state().vmm.dirty!.pages;
    pages = { kvm: pagesOf(kvm), qemu: pagesOf(qemu), vhost: pagesOf(vhost) };
    typed(session, 'nmi');
    expect(session.run(60_000, false)).toMatchObject({ pause: 'ended', end: { status: 0x21 } });
    session.close();
    ({ events } = openTimeline(openRecordedRun(NODE, trace, {})));
  });

  test('the log has the pages of its list, and no other', () => expect(pages).toEqual(LISTED));

  test('the log has the pages whose bytes are others than before', () => {
    const { timeline } = openTimeline(openRecordedRun(NODE, trace, {}));
    const { begun, over } = measurementOf(events);
    expect(changedPages(timeline, begun, over, RAM)).toEqual([...pages.kvm, ...pages.qemu].sort((a, b) => a - b));
  });

  test('the monitor answers as QEMU 7.2 does', () => {
    expect(said['asked']).toBe(
      "Starting dirty rate measurement with period 1 seconds\n[Please use 'info dirty_rate' to check results]",
    );
    expect(said['half']).toBe(['Status: measuring', ...RATE, 'Dirty rate: (not ready)'].join('\n'));
    expect(said['twice']).toBe('Error: the dirty rate is already being measured.');
    const measured = ['Status: measured', ...RATE, 'Dirty rate: 0 (MB/s)'].join('\n');
    expect(said['over']).toBe(measured.replace('512', '0'));
    expect(said['pages']!.split('\n').slice(0, 5)).toEqual([
      'Memory is not logged (measured)',
      "KVM's log of the processors: 204 pages",
      ...['    0x102000-0x103000 1 page', '    0x400000-0x401000 1 page', '    0x403000-0x404000 1 page'],
    ]);
  });

  // As a QEMU 7.2 with accel=kvm was traced, but for its slots.
  test('QEMU asks KVM in its order', () => {
    const isOf = ({ event }: Stamped): boolean =>
      event.kind.startsWith('dirtyrate_') ||
      ['global_dirty_changed', 'kvm_set_user_memory', 'kvm_clear_dirty_log', 'kvm_vm_ioctl'].includes(event.kind) ||
      event.kind === 'memory_region_sync_dirty';
    const { asked, begun, measured } = measurementOf(events);
    const SLOTS = [
      [0, 0, 0xf0],
      [2, 0xf0, 0x10],
      [3, 0x100, 0xf00],
      [1, 0xffff0, 0x10],
    ];
    const linesOf = (from: number, to: number): string[] =>
      events
        .slice(from, to)
        .filter(isOf)
        .map(eventText)
        .map((line) => line.replace(/, arg .*| ua=\w+/, ''));
    const set = (flags: number): string[] =>
      SLOTS.flatMap(([slot, gfn, pages]) => {
        const where = `gpa=0x${(gfn! * 4096).toString(16)} size=0x${(pages! * 4096).toString(16)} ret=0`;
        const all = flags | (slot === 1 ? 2 : 0);
        return ['kvm_vm_ioctl type 0x4020ae46', `kvm_set_user_memory Slot#${slot} flags=0x${all} ${where}`];
      });
    const sync = [
      ...SLOTS.map(() => 'kvm_vm_ioctl type 0x4010ae42'),
      "memory_region_sync_dirty mr '(all)' listener 'kvm-memory' synced (global=0)",
    ];
    expect(linesOf(asked, begun)).toEqual([
      ...['dirtyrate_set_state new state unstarted', 'dirtyrate_set_state new state measuring'],
      'global_dirty_changed bitmask 0x2',
      ...set(1),
      ...sync,
      ...SLOTS.flatMap(([slot, , pages]) => [
        'kvm_vm_ioctl type 0xc018aec0',
        `kvm_clear_dirty_log slot#${slot} start 0x0 size 0x${pages!.toString(16)}`,
      ]),
    ]);
    expect(linesOf(begun, measured + 1).slice(-sync.length - 2 * SLOTS.length - 3)).toEqual([
      ...sync,
      'global_dirty_changed bitmask 0x0',
      ...set(0),
      ...['dirtyrate_calculate dirty rate: 0 MB/s', 'dirtyrate_set_state new state measured'],
    ]);
  });

  test('KVM maps by small pages while it logs, and faults once for each page', () => {
    const { begun, over } = measurementOf(events);
    const within = events.slice(begun, over).map(({ event }) => event);
    const faults = within.filter(({ kind }) => kind === 'fast_page_fault');
    expect(faults).toHaveLength(LISTED.kvm.length - BY_EMULATION.length);
    const large = (from: number, to: number): number =>
      events.slice(from, to).filter(({ event }) => event.kind === 'kvm_mmu_split_huge_page').length;
    expect(large(0, begun)).toBeGreaterThan(4);
    expect(large(begun, events.length)).toBe(0);
    const after = events.slice(over).map(({ event }) => event);
    expect(after.filter((event) => event.kind === 'kvm_mmu_set_spte' && event.level === 2).length).toBeGreaterThan(0);
  });

  test('ends while the guest has halted for good', () => {
    const options = runOptions(['-m', '16', '-nic', 'none', '-device', 'edu', '-kernel', guest, '--no-trace']);
    const session = openSession(NODE, options, { serial: () => undefined, character: () => undefined });
    pass(session, 10);
    typed(session, 'calc_dirty_rate -b 60');
    expect(session.run(60_000, false)).toMatchObject({ pause: 'idle' });
    expect(session.state().vmm.dirty).toMatchObject({ status: 'measured', rate: 0 });
    session.close();
  });

  test('each fact comes of the person who asked', () => {
    const { asked, measured } = measurementOf(events);
    const chain = [measured];
    for (let at = events[measured]!.cause; at !== undefined; at = events[at]!.cause) chain.push(at);
    expect(chain.map((at) => events[at]!.event.kind)).toContain('sim:dirty_rate_waits');
    const waits = chain.find((at) => events[at]!.event.kind === 'sim:dirty_rate_waits')!;
    expect(events[waits]!.within).toBe(asked);
    const unasked = events
      .slice(asked + 1, measured + 1)
      .filter(({ cause, within }) => (cause ?? within) === undefined);
    expect(
      new Set(unasked.map(({ event }) => event.kind).filter((kind) => /dirty|KVM_(GET|CLEAR)/.test(kind))),
    ).toEqual(new Set());
  });

  test('runs again and folds to the same, from the middle of it as well', async () => {
    expect(divergenceOf(trace, {})).toBeUndefined();
    const { timeline, verifier, events: all } = openTimeline(openRecordedRun(NODE, trace, {}), { every: 16 });
    const { begun, over } = measurementOf(all);
    const end = endOf(all);
    for (const seq of [end.seq, begun + 40, over - 3, begun, (begun + over) >> 1, end.seq]) {
      timeline.seek({ seq, tick: all[Math.min(seq, all.length - 1)]!.tick });
    }
    expect(verifier.divergence).toBeUndefined();
    expect(await printed((print) => fold(trace, print))).toMatch(/events folded, [1-9]\d* digests of \d+ slices equal/);
    expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
    expect(retrovisor(['verify', trace])).toMatchObject({ status: 0 });
  });
});

/** A QEMU that runs the guest, and its human monitor by QMP. */
async function qemu(accel: 'kvm' | 'tcg'): Promise<{ ask(line: string): Promise<string>; end(): void }> {
  const machine = ['-M', `pc,accel=${accel}`, '-m', '16', '-display', 'none', '-nodefaults', '-device', 'edu'];
  const child = spawn(QEMU, [...machine, '-kernel', guest, '-qmp', 'stdio'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const execute = async (command: object): Promise<string> => {
    child.stdin.write(`${JSON.stringify(command)}\n`);
    for (;;) {
      const { value, done } = await answers.next();
      const said = done === true ? { return: 'QEMU ended' } : JSON.parse(value);
      if ('return' in said) return said.return;
    }
  };
  await execute({ execute: 'qmp_capabilities' });
  return {
    ask: (line) => execute({ execute: 'human-monitor-command', arguments: { 'command-line': line } }),
    end: () => void child.kill(),
  };
}

const QEMU = 'qemu-system-x86_64';

const REFUSED = ['0', '-1', '61', '-r -b 1', '-b -1', '-b 61', '-b 1 2 3', '-x 1'].map(
  (words) => `calc_dirty_rate ${words}`,
);

/** A real KVM: without one `calc_dirty_rate -b` of QEMU 7.2 ends in a fault of its own. */
const noKvm = (): Aside | undefined => {
  try {
    closeSync(openSync('/dev/kvm', 'r+'));
    return tool(QEMU);
  } catch {
    return { what: 'a real KVM', why: 'There is no /dev/kvm one may open.', kind: 'tool' };
  }
};

describe('beside QEMU 7.2', LONG, () => {
  /** What was measured, and when, is another's; what QEMU says of help is not here. */
  const alike = (text: string): string =>
    text
      .replaceAll('\r', '')
      .replace(/^Try "help.*$/m, '')
      .replace(/(Start Time|Dirty rate): \d+/g, '$1: ?')
      .trimEnd();

  /** What QEMU says to lines, and then a run of ours; a number is milliseconds to wait. */
  async function saidBy(
    accel: 'kvm' | 'tcg',
    lines: readonly (string | number)[],
  ): Promise<readonly (readonly string[])[]> {
    const other = await qemu(accel);
    const its: string[] = [];
    for (const line of lines) its.push(typeof line === 'number' ? await setTimeout(line, '') : await other.ask(line));
    other.end();
    const options = runOptions(['-m', '16', '-nic', 'none', '-device', 'edu', '-kernel', guest, '--no-trace']);
    const session = openSession(NODE, options, { serial: () => undefined, character: () => undefined });
    pass(session, 10);
    const ours = lines.map((line) => {
      const text = typeof line === 'number' ? '' : typed(session, line);
      pass(session, typeof line === 'number' ? line : 1);
      return text;
    });
    session.close();
    return [its, ours].map((said) => said.map(alike));
  }

  test('what cannot be is refused in its words', without(tool(QEMU)), async () => {
    const [its, ours] = await saidBy('tcg', ['info dirty_rate', ...REFUSED]);
    expect(ours).toEqual(its);
  });

  test('a measurement is told of in its words', without(noKvm()), async () => {
    const lines = ['calc_dirty_rate -r 1', 'calc_dirty_rate -b 2', 300, 'info dirty_rate', 'calc_dirty_rate -b 2'];
    const [its, ours] = await saidBy('kvm', [...lines, 2500, 'info dirty_rate']);
    expect(ours).toEqual(its);
  });
});
