import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { engineWith, enterLongMode, LINEAR, NO_EVENT, putTables, SLOT_BYTES } from './long-mode.ts';

/** What calls routines: x87, time, repeated stores over pages, its own code overwritten, STI and its shadow. */
const CODE = [
  ...[0xdb, 0xe3], // fninit
  ...[0xd9, 0xeb, 0xd9, 0xfe], // fldpi; fsin
  ...[0xdd, 0xd8], // fstp st(0)
  ...[0x0f, 0x31], // rdtsc
  ...[0xfb], // sti
  ...[0x49, 0x8d, 0xbf, 0xf0, 0x0f, 0x01, 0x00], // lea rdi,[r15+0x10ff0]
  ...[0xb9, 0x64, 0x00, 0x00, 0x00], // mov ecx,100
  ...[0xf3, 0x48, 0xab], // rep stosq
  ...[0xfe, 0x05, 0x02, 0x00, 0x00, 0x00], // inc byte [the immediate of the next instruction]
  ...[0x66, 0xb8, 0x00, 0x00], // mov ax,0
  ...[0xeb, 0xdc], // jmp to fldpi
];
const TICKS = 4000;
const TSC_PER_TICK = 16;

function runWith(callsPerRun: number) {
  let ticks = 0;
  const hostTsc = (): bigint => BigInt(ticks * TSC_PER_TICK);
  const engine = engineWith({ hostBytes: SLOT_BYTES, hostTsc, tscPerTick: TSC_PER_TICK, callsPerRun });
  engine.addVcpu();
  putTables(engine, 0);
  enterLongMode(engine, 0, CODE);
  engine.setGpr(0, 15, LINEAR);
  let pauses = 0;
  while (ticks < TICKS) {
    const stop = engine.run(0, TICKS - ticks, NO_EVENT);
    ticks += stop.ticks;
    if (stop.why === 'pause') pauses += 1;
    else expect(stop).toMatchObject({ why: 'budget' });
  }
  const digest = createHash('sha256');
  for (const region of engine.regions) digest.update(region.bytes());
  const { rip, rflags } = engine.registers(0);
  return { ticks, pauses, rip, rflags, digest: digest.digest('hex') };
}

test('a run that calls much pauses, which the guest cannot tell', () => {
  const { pauses: none, ...whole } = runWith(Number.POSITIVE_INFINITY);
  expect(none).toBe(0);
  for (const calls of [1, 7]) {
    const { pauses, ...paused } = runWith(calls);
    expect(pauses).toBeGreaterThan(TICKS / (100 * calls) / 10);
    expect(paused).toEqual(whole);
  }
});
