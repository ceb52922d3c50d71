import { expect, test } from 'vitest';
import { createEngine } from '../../src/engine/index.ts';
import { instantiate } from '../../src/host/wasm.ts';
import { type ExecutionControls, type Guest, type GuestStop, NO_CONTROLS } from '../../src/x86/guest.ts';

const CODE = 0x8000;
const TABLES = 0x20000;
const HANDLER = 0x9000;
const DB_GATE = 1;
const UD_GATE = 6;
const SS_GATE = 12;
const GP_GATE = 13;
const TF = 0x100n;
const RF = 0x10000n;

const CONTROLS: ExecutionControls = {
  ...NO_CONTROLS,
  primary: 1 << 7,
};

function quad(guest: Guest, at: number, value: bigint): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  guest.writeHost(at, bytes);
}

/** A processor in 64-bit mode at `code`, where every exception comes to a HLT of its own at HANDLER + vector. */
function at64(
  code: readonly number[],
  change: (guest: Guest) => void = () => undefined,
): { guest: Guest; stop: GuestStop } {
  const guest = createEngine({
    hostBytes: 2 << 20,
    instantiate,
    hostTsc: () => 0n,
    tscPerTick: 16,
    random: () => 7n,
  });
  const vcpu = guest.addVcpu();
  guest.setControls(vcpu, CONTROLS);
  quad(guest, 0x1008, 0x00af9b000000ffffn);
  quad(guest, 0x1010, 0x00cf93000000ffffn);
  for (let vector = 0; vector < 32; vector++) {
    quad(guest, 0x2000 + vector * 16, BigInt(HANDLER + vector) | (8n << 16n) | (0x8en << 40n));
  }
  guest.writeHost(HANDLER, new Uint8Array(32).fill(0xf4));
  quad(guest, TABLES, BigInt(TABLES + 0x1000) | 7n);
  quad(guest, TABLES + 0x1000, BigInt(TABLES + 0x2000) | 7n);
  quad(guest, TABLES + 0x2000, 0x87n);
  guest.writeHost(CODE, Uint8Array.from(code));
  const r = guest.registers(vcpu);
  r.gdtr = { base: 0x1000n, limit: 0x17 };
  r.idtr = { base: 0x2000n, limit: 0xfff };
  r.setSegment(1, { selector: 8, base: 0n, limit: 0xffffffff, access: 0xa09b });
  for (const segment of [0, 2, 3, 4, 5]) {
    r.setSegment(segment, { selector: 16, base: 0n, limit: 0xffffffff, access: 0xc093 });
  }
  r.cr4 = 0x620n;
  r.cr3 = BigInt(TABLES);
  r.efer = 0xd01n;
  r.cr0 = 0x80010033n;
  r.setGpr(4, 0x7f00n);
  r.rip = BigInt(CODE);
  r.rflags = 2n;
  change(guest);
  return { guest, stop: guest.run(vcpu, 1000, { info: 0, errorCode: 0, length: 0 }) };
}

/** Which exception's HLT the run came to; undefined: another one. */
const vectorOf = ({ stop }: { stop: GuestStop }): number | undefined =>
  stop.exit.reason === 12 && stop.rip >= BigInt(HANDLER) ? Number(stop.rip) - HANDLER : undefined;

/** Word `index` of the frame the exception pushed. */
function framed({ guest }: { guest: Guest }, index: number): bigint {
  const sp = Number(guest.registers(0).gpr(4)) + 8 * index;
  const bytes = guest.readHost(sp, 8);
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}

const NOP = 0x90;
const NON_CANONICAL = 0xaaaa_aaaa_aaaa_aaaan;

test('SYSRET to TF set is trapped at its target, before the first instruction there', () => {
  const ran = at64([0x48, 0x0f, 0x07], (guest) => {
    const r = guest.registers(0);
    r.setMsr(0xc0000081, 0x0008n << 48n);
    r.setGpr(1, BigInt(CODE + 0x40));
    r.setGpr(11, 0x102n);
    // The trap comes from CPL 3: a stack for CPL 0.
    r.setSegment(7, { selector: 0, base: 0x3000n, limit: 0x67, access: 0x8b });
    quad(guest, 0x3004, 0x7f00n);
  });
  expect(vectorOf(ran)).toBe(DB_GATE);
  expect(framed(ran, 0)).toBe(BigInt(CODE + 0x40));
});

test('SYSCALL that masks TF leaves no trap behind', () => {
  const ran = at64([0x0f, 0x05], (guest) => {
    const r = guest.registers(0);
    r.setMsr(0xc0000081, 0x0008n << 32n);
    r.setMsr(0xc0000082, BigInt(CODE + 0x40));
    r.setMsr(0xc0000084, TF);
    guest.writeHost(CODE + 0x40, Uint8Array.of(0xf4));
    r.rflags = 2n | TF;
  });
  expect(ran.stop.exit.reason).toBe(12);
  expect(ran.stop.rip).toBe(BigInt(CODE + 0x40));
});

test('RF that IRET loads hides one breakpoint, not the next', () => {
  const frame = [BigInt(CODE + 0x40), 8n, 2n | RF, 0x7f00n, 0x10n];
  const ran = at64([0x48, 0xcf], (guest) => {
    frame.forEach((word, i) => quad(guest, 0x7000 + 8 * i, word));
    guest.registers(0).setGpr(4, 0x7000n);
    guest.writeHost(CODE + 0x40, Uint8Array.of(NOP, NOP, 0xf4));
    guest.registers(0).setDr(0, BigInt(CODE + 0x40));
    guest.registers(0).setDr(1, BigInt(CODE + 0x41));
    guest.registers(0).setDr(7, 0x405n);
  });
  expect(vectorOf(ran)).toBe(DB_GATE);
  expect(framed(ran, 0)).toBe(BigInt(CODE + 0x41));
});

test('RF is gone after one instruction though no breakpoint is set', () => {
  const frame = [BigInt(CODE + 0x40), 8n, 2n | RF, 0x7f00n, 0x10n];
  const ran = at64([0x48, 0xcf], (guest) => {
    frame.forEach((word, i) => quad(guest, 0x7000 + 8 * i, word));
    guest.registers(0).setGpr(4, 0x7000n);
    guest.writeHost(CODE + 0x40, Uint8Array.of(NOP, 0xf4));
  });
  expect(ran.stop.exit.reason).toBe(12);
  expect(BigInt(ran.stop.rflags) & RF).toBe(0n);
});

test.each([
  ['or qword [rsp+rax],0', [0x48, 0x83, 0x0c, 0x04, 0x00], SS_GATE],
  ['or qword [rbp+rax],0', [0x48, 0x83, 0x4c, 0x05, 0x00, 0x00], SS_GATE],
  ['or qword [rax],0', [0x48, 0x83, 0x08, 0x00], GP_GATE],
])('%s at a non-canonical address', (_, code, vector) => {
  const ran = at64(code, (guest) => guest.registers(0).setGpr(0, NON_CANONICAL));
  expect(vectorOf(ran)).toBe(vector);
});

test.each([
  ['jmp rax', [0xff, 0xe0]],
  ['call rax', [0xff, 0xd0]],
  ['ret 16', [0xc2, 0x10, 0x00]],
])('%s to a non-canonical address faults before it is taken', (_, code) => {
  const ran = at64(code, (guest) => {
    guest.registers(0).setGpr(0, NON_CANONICAL);
    quad(guest, 0x7f00, NON_CANONICAL);
  });
  expect(vectorOf(ran)).toBe(GP_GATE);
  expect(framed(ran, 1)).toBe(BigInt(CODE));
  expect(framed(ran, 4)).toBe(0x7f00n);
});

test.each([
  ['JNZ', [0x0f, 0x85], 2n],
  ['JMP', [0xe9], 2n],
  ['LOOP', [0xe2], 2n],
  ['JRCXZ', [0xe3], 0n],
])('%s rel to a non-canonical address faults before it is taken', (_, opcode, count) => {
  // The last page below the hole is the page of the code.
  const last = 0x7fff_ffff_f000n;
  const length = opcode.length + (opcode[0] === 0xe2 || opcode[0] === 0xe3 ? 1 : 4);
  const at = 0x1000 - length - 4;
  const ran = at64([], (guest) => {
    const entry = (table: number, index: number, to: number): void => quad(guest, table + 8 * index, BigInt(to) | 7n);
    entry(TABLES, 255, TABLES + 0x3000);
    entry(TABLES + 0x3000, 511, TABLES + 0x4000);
    entry(TABLES + 0x4000, 511, TABLES + 0x5000);
    entry(TABLES + 0x5000, 511, CODE);
    guest.writeHost(CODE + at, Uint8Array.from([...opcode, 0x10, 0, 0, 0].slice(0, length)));
    guest.registers(0).setGpr(1, count);
    guest.registers(0).rip = last + BigInt(at);
  });
  expect(vectorOf(ran)).toBe(GP_GATE);
  expect(framed(ran, 1)).toBe(last + BigInt(at));
  expect(ran.guest.registers(0).gpr(1)).toBe(count);
});

test('code that runs on to a non-canonical address faults there', () => {
  const last = 0x7fff_ffff_f000n;
  // JZ is not taken.
  for (const code of [
    [NOP, NOP],
    [0x74, 0x10],
  ]) {
    const ran = at64([], (guest) => {
      const entry = (table: number, index: number, to: number): void => quad(guest, table + 8 * index, BigInt(to) | 7n);
      entry(TABLES, 255, TABLES + 0x3000);
      entry(TABLES + 0x3000, 511, TABLES + 0x4000);
      entry(TABLES + 0x4000, 511, TABLES + 0x5000);
      entry(TABLES + 0x5000, 511, CODE);
      guest.writeHost(CODE + 0xffe, Uint8Array.from(code));
      guest.registers(0).rip = last + 0xffen;
    });
    expect(vectorOf(ran)).toBe(GP_GATE);
    expect(framed(ran, 1)).toBe(last + 0x1000n);
  }
});

test('an interrupt gate that leads to a non-canonical address: #GP of the instruction that used it', () => {
  const ran = at64([0xcd, 0x50], (guest) => {
    quad(guest, 0x2000 + 0x500, (0x8en << 40n) | (8n << 16n));
    quad(guest, 0x2000 + 0x508, 0xdead_beefn);
  });
  expect(vectorOf(ran)).toBe(GP_GATE);
  expect([framed(ran, 0), framed(ran, 1), framed(ran, 4)]).toEqual([0n, BigInt(CODE), 0x7f00n]);
});

test.each([
  ['FEMMS', [0x0f, 0x0e]],
  ['PFADD', [0x0f, 0x0f, 0xc0, 0x9e]],
])('%s is undefined: 3DNow! is not announced', (_, code) => {
  expect(vectorOf(at64(code))).toBe(UD_GATE);
});

test('a data breakpoint that MOV SS held back is reported once, by the ICEBP that exits', () => {
  const [intercepted, watched] = [1 << DB_GATE, 0x6000];
  // mov ss,[watched]; icebp; nop
  const code = [0x8e, 0x14, 0x25, 0x00, watched >> 8, 0x00, 0x00, 0xf1, NOP];
  const { guest, stop } = at64(code, (made) => {
    made.setControls(0, { ...CONTROLS, exceptionBitmap: intercepted });
    quad(made, watched, 0x10n);
    made.registers(0).setDr(0, BigInt(watched));
    made.registers(0).setDr(7, 0xf0402n);
  });
  expect([stop.exit.reason, stop.exit.interruptionInfo, stop.exit.qualification]).toEqual([0, 0x80000501, 1n]);
  // Done with it, the guest goes on behind the ICEBP.
  guest.registers(0).interruptibility = 0;
  guest.setRip(0, BigInt(CODE + code.indexOf(NOP)));
  const { why, ticks } = guest.run(0, 1, { info: 0, errorCode: 0, length: 0 });
  expect([why, ticks]).toEqual(['budget', 1]);
});
