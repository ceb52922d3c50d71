import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { digestOf, replay, rerun } from '../../src/api/index.ts';
import { NODE } from '../../src/host/node.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { openSession } from '../../src/runs/underway/open-session.ts';
import { LONG } from '../how-long.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-triple-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Counts its starts in memory, which a reset leaves, and powers off at the fifth; before that it cannot go on. */
const CODE = [
  ...[0xa1, 0x00, 0x00, 0x20, 0x00], // mov eax,[0x200000]
  ...[0x40, 0xa3, 0x00, 0x00, 0x20, 0x00], // inc eax; mov [0x200000],eax
  ...[0x83, 0xf8, 0x05, 0x75, 0x0a], // cmp eax,5; jne to ud2
  ...[0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x20, 0x66, 0xef], // mov dx,0x604; mov ax,0x2000; out dx,ax
  ...[0x0f, 0x0b], // ud2
];

/** A multiboot kernel that says itself where it belongs (1 MiB). */
function kernel(): string {
  const [magic, flags, load] = [0x1badb002, 0x10000, 0x100000];
  const words = [magic, flags, -(magic + flags), load, load, 0, 0, load + 32];
  const path = join(folder, 'kernel.flat');
  writeFileSync(path, Uint8Array.from([...new Uint8Array(Uint32Array.from(words).buffer), ...CODE]));
  return path;
}

async function ended(name: string, more: readonly string[]) {
  const trace = join(folder, `${name}.trace`);
  const machine = ['-kernel', kernel(), '-m', '8', '-smp', '2', '-nodefaults', '--wall-clock', '1700000000'];
  const notices: string[] = [];
  const session = openSession(NODE, runOptions([...machine, ...more, '--trace', trace]), {
    serial: () => undefined,
    character: () => undefined,
    notice: (sentence) => notices.push(sentence),
  });
  let pause = session.run(100, false);
  while (pause.pause !== 'ended') pause = session.run(100, false);
  session.close();
  const { state, pages } = session.view.machine;
  const again = { replayed: await replay(trace), rerun: await rerun(trace) };
  for (const { divergence, agreed, events } of Object.values(again)) {
    expect({ divergence, agreed }).toEqual({ divergence: undefined, agreed: events });
  }
  expect(again.rerun.digest).toBe(digestOf(state));
  expect(again.replayed.digest).toBe(digestOf(state) + pages.digest());
  return { notices, end: pause.end, ended: state.schedule.ended };
}

describe('a guest that meets triple faults', LONG, () => {
  test('starts again after each, as on QEMU, and a person is told where, three times', async () => {
    const { notices, end, ended: how } = await ended('resets', []);
    expect(notices).toHaveLength(3);
    for (const notice of notices) {
      expect(notice).toMatch(/^vCPU 0 met a triple fault at rip 0x10003a, tick \d+: the machine resets/);
    }
    expect(notices.map((notice) => notice.includes('-no-reboot'))).toEqual([false, false, true]);
    expect(end).toEqual({ status: 0 });
    expect(how).toEqual({ why: 'powered-off', status: 0 });
  });

  test('ends with status 4 under -no-reboot', async () => {
    const { notices, end, ended: how } = await ended('ends', ['-no-reboot']);
    expect(notices).toEqual([]);
    expect(end.status).toBe(4);
    expect(end.sentence).toMatch(/^vCPU 0 met a triple fault at rip 0x10003a, tick \d+: an exception whose handler/);
    expect(how).toEqual({ why: 'panicked', status: 4 });
  });
});
