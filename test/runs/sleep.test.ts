import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { digestOf, record, replay, rerun } from '../../src/api/index.ts';
import { NODE } from '../../src/host/node.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { expectFolds } from '../guests/trace-alone.ts';
import { LONG } from '../how-long.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-sleep-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const set = (register: number, value: number): number[] => [0xb0, register, 0xe6, 0x70, 0xb0, value, 0xe6, 0x71];

/** Real-mode code at 0x1000: isa-debug-exit with PM1 status, shifted down to its WAK_STS and RTC_STS. */
const RESUME = [
  ...[0xba, 0x00, 0x06, 0xed, 0xc1, 0xe8, 0x0a], // mov dx,0x600; in ax,dx; shr ax,10
  ...[0xba, 0xf4, 0x00, 0xee, 0xf4], // mov dx,0xf4; out dx,al; hlt
];

/** Asks for an alarm at the next second, says where to go on, and sleeps. */
const CODE = [
  ...[0xc7, 0x05, 0x0c, 0x00, 0x7e, 0x00, 0x00, 0x10, 0x00, 0x00], // mov dword [FACS + 12],0x1000
  ...RESUME.flatMap((byte, at) => [0xc6, 0x05, at, 0x10, 0x00, 0x00, byte]), // mov byte [0x1000 + at],...
  ...[0x66, 0xba, 0x02, 0x06, 0x66, 0xb8, 0x00, 0x04, 0x66, 0xef], // mov dx,0x602; mov ax,0x400; out dx,ax
  ...[0x01, 0x03, 0x05].flatMap((register) => set(register, 0xff)),
  ...set(0x0b, 0x22), // 24 hours, alarm interrupts
  ...[0xb0, 0x0c, 0xe6, 0x70, 0xe4, 0x71], // register C is read
  ...[0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x24, 0x66, 0xef], // mov dx,0x604; mov ax,0x2400; out dx,ax
  ...[0xeb, 0xfe], // jmp to itself
];

/** A multiboot kernel that says itself where it belongs (1 MiB). */
function kernel(): string {
  const [magic, flags, load] = [0x1badb002, 0x10000, 0x100000];
  const words = [magic, flags, -(magic + flags), load, load, 0, 0, load + 32];
  const path = join(folder, 'kernel.flat');
  writeFileSync(path, Uint8Array.from([...new Uint8Array(Uint32Array.from(words).buffer), ...CODE]));
  return path;
}

test('a guest that sleeps until its alarm: replayed, folded, rerun, and gone back in', LONG, async () => {
  const trace = join(folder, 'sleep.trace');
  const devices = ['isa-debug-exit,iobase=0xf4,iosize=4'];
  const run = await record({ kernel: kernel(), memory: 8, smp: 2, wallClock: 1_700_000_000, devices, trace });
  expect(run.status).toBe((0x21 << 1) | 1);
  for (const again of [await replay(trace), await rerun(trace)]) {
    expect([again.divergence, again.agreed]).toEqual([undefined, again.events]);
  }
  expectFolds(trace);
  const { timeline, events } = openTimeline(openRecordedRun(NODE, trace, {}), { every: 16 });
  const at = (kind: string): number => events.find(({ event }) => event.kind === kind)!.seq;
  const [asleep, woken] = [at('sim:suspended'), at('sim:woken')];
  expect(woken - asleep).toBeGreaterThan(10);
  const last = events.length - 1;
  const marks = [asleep - 20, asleep + 1, asleep + 30, Math.floor((asleep + woken) / 2), woken, woken + 1, last].map(
    (seq) => ({ seq, tick: events[seq]!.tick }),
  );
  const { machine } = timeline;
  const digestAt = (mark: { seq: number; tick: number }): string => {
    const { seq } = timeline.seek(mark);
    expect(seq).toBeGreaterThanOrEqual(mark.seq);
    return `${seq} ${digestOf(machine.state)}${machine.pages.digest()}`;
  };
  const forwards = marks.map(digestAt);
  expect(marks.toReversed().map(digestAt).toReversed()).toEqual(forwards);
});
