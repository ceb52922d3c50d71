import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom, toArray } from 'rxjs';
import { afterAll, expect, test } from 'vitest';
import { openTrace, replay, rerun } from '../../src/api/index.ts';
import { NODE } from '../../src/host/node.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { openSession } from '../../src/runs/underway/open-session.ts';
import { expectFolds } from '../guests/trace-alone.ts';
import { LONG } from '../how-long.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-nmi-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Opens LINT1 to NMIs, or not, says so, and spins. Vector 2 leads to no gate: an NMI ends the guest. */
const code = (lint1: number): number[] => [
  ...[0xc7, 0x05, 0xf0, 0x00, 0xe0, 0xfe, 0xff, 0x01, 0x00, 0x00], // mov dword [0xfee000f0],0x1ff: the LAPIC is on
  ...[0xc7, 0x05, 0x60, 0x03, 0xe0, 0xfe, 0x00, lint1, 0x00, 0x00], // mov dword [0xfee00360],lint1 << 8
  ...[0x66, 0xba, 0xf8, 0x03, 0xb0, 0x21, 0xee], // mov dx,0x3f8; mov al,'!'; out dx,al
  ...[0xeb, 0xfe], // jmp to itself
];

/** A multiboot kernel that says itself where it belongs (1 MiB). */
function kernel(name: string, lint1: number): string {
  const [magic, flags, load] = [0x1badb002, 0x10000, 0x100000];
  const words = [magic, flags, -(magic + flags), load, load, 0, 0, load + 32];
  const path = join(folder, name);
  writeFileSync(path, Uint8Array.from([...new Uint8Array(Uint32Array.from(words).buffer), ...code(lint1)]));
  return path;
}

/** Run it, press the button once it spins: how it ended, and the vCPUs an NMI came to. */
async function pressed(name: string, lint1: number) {
  const trace = join(folder, `${name}.trace`);
  const machine = ['-kernel', kernel(name, lint1), '-m', '8', '-smp', '2', '-no-reboot', '-serial', 'stdio'];
  let hasSpoken = false;
  const options = runOptions([...machine, '--wall-clock', '1700000000', '--ticks', '3000000', '--trace', trace]);
  const session = openSession(NODE, options, {
    serial: () => {
      hasSpoken = true;
    },
    character: () => undefined,
  });
  for (let slice = 0; !hasSpoken && slice < 1000; slice += 1) session.run(1, false);
  expect(hasSpoken).toBe(true);
  session.send({ kind: 'sim:nmi_requested' });
  let pause = session.run(50, false);
  while (pause.pause !== 'ended') pause = session.run(50, false);
  session.close();
  for (const again of [await replay(trace), await rerun(trace)]) {
    expect([again.divergence, again.agreed]).toEqual([undefined, again.events]);
  }
  expectFolds(trace);
  const read = openTrace(trace);
  const events = await lastValueFrom(read.events$.pipe(toArray()));
  read.close();
  const reached = events.flatMap(({ event }) => (event.kind === 'sim:nmi_pending' ? [event.vcpu_id] : []));
  return { status: pause.end.status, reached };
}

test('an NMI reaches the processors whose LINT1 is open to it, and is replayed', LONG, async () => {
  expect(await pressed('open', 0x04)).toEqual({ status: 4, reached: [0] });
  expect(await pressed('fixed', 0x00)).toEqual({ status: 0, reached: [] });
});
