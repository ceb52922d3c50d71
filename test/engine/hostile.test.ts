import seedrandom from 'seedrandom';
import { describe, expect, test } from 'vitest';
import { createEngine } from '../../src/engine/index.ts';
import { instantiate } from '../../src/host/wasm.ts';
import { casesOf } from '../how-long.ts';
import { type ExecutionControls, type Guest, NO_CONTROLS } from '../../src/x86/guest.ts';

/** Streams per mode; RETROVISOR_STREAMS=3334 makes the 10,000 of a release. */
const STREAMS = casesOf('RETROVISOR_STREAMS', { whole: 1200, quick: 300 });
const SEED = process.env.RETROVISOR_SEED ?? 'hostile';
const BUDGET = 400;
const CODE = 0x8000;
const TABLES = 0x20000;
const FLAT_CODE_32 = { selector: 8, base: 0n, limit: 0xffffffff, access: 0xc09b };
const FLAT_CODE_64 = { selector: 8, base: 0n, limit: 0xffffffff, access: 0xa09b };
const FLAT_DATA = { selector: 16, base: 0n, limit: 0xffffffff, access: 0xc093 };

type Mode = 'real' | 'protected' | 'long';

/** HLT, INVLPG, CR3, DR and port exits on; exceptions either leave or are the guest's own. */
function controls(exceptionsExit: boolean): ExecutionControls {
  return {
    ...NO_CONTROLS,
    primary: (1 << 7) | (1 << 9) | (1 << 15) | (1 << 16) | (1 << 23) | (1 << 24),
    exceptionBitmap: exceptionsExit ? 0xffffffff : 0,
  };
}

/** Bytes that decode to something often: random, with the odd prefix and opcode map. */
function hostileBytes(random: seedrandom.PRNG, length: number): Uint8Array {
  const favourites = [0x0f, 0x66, 0xf2, 0xf3, 0x67, 0xf0, 0x48, 0xff, 0xcd, 0xcf, 0x8e, 0xe8, 0xc3, 0xea, 0xd9, 0xdd];
  return Uint8Array.from({ length }, () => {
    const roll = random();
    return roll < 0.25 ? (favourites[Math.floor(random() * favourites.length)] as number) : Math.floor(random() * 256);
  });
}

function quad(guest: Guest, at: number, value: bigint): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  guest.writeHost(at, bytes);
}

/** Descriptor tables, an IDT whose gates all lead into the hostile code, and identity page tables. */
function prepare(guest: Guest, mode: Mode): void {
  quad(guest, 0x1008, mode === 'long' ? 0x00af9b000000ffffn : 0x00cf9b000000ffffn);
  quad(guest, 0x1010, 0x00cf93000000ffffn);
  for (let vector = 0; vector < 256; vector++) {
    const low = BigInt(CODE) | (8n << 16n) | (0x8en << 40n);
    if (mode === 'long') {
      quad(guest, 0x2000 + vector * 16, low);
      quad(guest, 0x2008 + vector * 16, 0n);
    } else if (mode === 'protected') quad(guest, 0x2000 + vector * 8, low);
  }
  // Real mode's vectors lead into the code too.
  if (mode === 'real')
    guest.writeHost(
      0,
      Uint8Array.from({ length: 1024 }, (_, i) => [0x00, 0x80, 0, 0][i & 3] as number),
    );
  quad(guest, TABLES, BigInt(TABLES + 0x1000) | 7n);
  quad(guest, TABLES + 0x1000, BigInt(TABLES + 0x2000) | 7n);
  quad(guest, TABLES + 0x2000, 0x87n);
}

function enter(guest: Guest, vcpu: number, mode: Mode, random: seedrandom.PRNG): void {
  guest.resetVcpu(vcpu, 'reset');
  guest.setControls(vcpu, controls(random() < 0.3));
  const r = guest.registers(vcpu);
  if (mode !== 'real') {
    r.gdtr = { base: 0x1000n, limit: 0x17 };
    r.idtr = { base: 0x2000n, limit: 0xfff };
    r.setSegment(1, mode === 'long' ? FLAT_CODE_64 : FLAT_CODE_32);
    for (const segment of [0, 2, 3, 4, 5]) r.setSegment(segment, FLAT_DATA);
    r.cr4 = mode === 'long' ? 0x40620n : 0x600n;
    r.cr3 = BigInt(TABLES);
    r.efer = mode === 'long' ? 0xd01n : 0n;
    r.cr0 = mode === 'long' ? 0x80010033n : 0x33n;
  } else {
    r.setSegment(1, { selector: 0, base: 0n, limit: 0xffff, access: 0x9b });
  }
  for (let i = 0; i < 16; i++) r.setGpr(i, BigInt(Math.floor(random() * 0x200000)));
  r.setGpr(4, 0x9000n);
  r.rip = BigInt(CODE);
  r.rflags = BigInt(2 | (Math.floor(random() * 0x10000) & 0xfd5));
}

describe.each(['real', 'protected', 'long'] as const)('%s mode', (mode) => {
  test(`random instructions end in a fault, an exit or the budget (SEED=${SEED}, ${STREAMS} streams)`, () => {
    const random = seedrandom.alea(`${SEED}.${mode}`);
    const guest = createEngine({
      hostBytes: 2 << 20,
      instantiate,
      hostTsc: () => 0n,
      tscPerTick: 16,
      random: () => 7n,
    });
    const vcpu = guest.addVcpu();
    const ends = new Map<string, number>();
    for (let stream = 0; stream < STREAMS; stream++) {
      guest.writeHost(0, new Uint8Array(0x8000));
      prepare(guest, mode);
      guest.writeHost(CODE, hostileBytes(random, 256));
      enter(guest, vcpu, mode, random);
      const stop = guest.run(vcpu, BUDGET, { info: 0, errorCode: 0, length: 0 });
      expect(stop.ticks, `stream ${stream} keeps its budget`).toBeLessThanOrEqual(BUDGET + 1);
      const how = stop.why === 'exit' ? `exit ${stop.exit.reason}` : stop.why;
      ends.set(how, (ends.get(how) ?? 0) + 1);
    }
    expect([...ends.values()].reduce((a, b) => a + b, 0)).toBe(STREAMS);
    // A processor that stops at the first instruction would pass too: several kinds of end must occur.
    expect(ends.size, JSON.stringify([...ends])).toBeGreaterThan(3);
  });
});
