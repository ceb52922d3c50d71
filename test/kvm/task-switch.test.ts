import { describe, expect, test } from 'vitest';
import { type RealGuest, realGuest } from './real-guest.ts';

const HLT = 5;
const GDT = 0x4000;
const IDT = 0x4800;
const TSS_A = 0x5000;
const TSS_B = 0x5100;
const CODE_B = 0x6000;
const SELECTOR_A = 0x18;
const SELECTOR_B = 0x20;
const GATE_B = 0x28;
const BUSY = 2;
const NT = 0x4000n;

/** Offsets in a 32-bit TSS. SDM Vol. 3, Figure 8-2. */
const TSS = { link: 0, esp0: 4, ss0: 8, cr3: 28, eip: 32, eflags: 36, eax: 40, esp: 56, es: 72 } as const;

const quad = (machine: RealGuest, at: number, value: bigint): void => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  machine.guest.writeHost(at, bytes);
};
const word = (machine: RealGuest, at: number): number => {
  const bytes = machine.guest.readHost(at, 4);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
};

const tssDescriptor = (base: number): bigint =>
  103n | (BigInt(base & 0xffffff) << 16n) | (0x89n << 40n) | (BigInt(base >>> 24) << 56n);
const isBusy = (machine: RealGuest, selector: number): boolean =>
  (word(machine, GDT + selector + 4) & (BUSY << 8)) !== 0;

/** Flat 32-bit protected mode in task A; task B waits at `codeB`. Vector 13 and 0x30 are task gates to B. */
function tasks(codeA: readonly number[], codeB: readonly number[]): RealGuest {
  const machine = realGuest(codeA);
  quad(machine, GDT + 0x08, 0x00cf9b000000ffffn);
  quad(machine, GDT + 0x10, 0x00cf93000000ffffn);
  quad(machine, GDT + SELECTOR_A, tssDescriptor(TSS_A) | (BigInt(BUSY) << 40n));
  quad(machine, GDT + SELECTOR_B, tssDescriptor(TSS_B));
  quad(machine, GDT + GATE_B, (BigInt(SELECTOR_B) << 16n) | (0x85n << 40n));
  for (const vector of [13, 0x30]) quad(machine, IDT + vector * 8, (BigInt(SELECTOR_B) << 16n) | (0x85n << 40n));
  machine.guest.writeHost(CODE_B, Uint8Array.from(codeB));
  const b = new DataView(new ArrayBuffer(104));
  b.setUint32(TSS.eip, CODE_B, true);
  b.setUint32(TSS.eflags, 2, true);
  b.setUint32(TSS.eax, 0xb0b0, true);
  b.setUint32(TSS.esp, 0x7000, true);
  for (let at = 0; at < 6; at += 1) b.setUint32(TSS.es + 4 * at, at === 1 ? 0x08 : 0x10, true);
  machine.guest.writeHost(TSS_B, new Uint8Array(b.buffer));
  machine.setSregs((sregs) => {
    sregs.cr0 |= 1n;
    sregs.gdt = { base: BigInt(GDT), limit: 0x2f };
    sregs.idt = { base: BigInt(IDT), limit: 0x3ff };
    sregs.cs = { selector: 8, base: 0n, limit: 0xffffffff, access: 0xc09b };
    for (const name of ['ds', 'es', 'fs', 'gs', 'ss'] as const) {
      sregs[name] = { selector: 0x10, base: 0n, limit: 0xffffffff, access: 0xc093 };
    }
    sregs.tr = { selector: SELECTOR_A, base: BigInt(TSS_A), limit: 103, access: 0x8b };
  });
  machine.setRegs({ rax: 0xa0a0n, rsp: 0x3000n });
  return machine;
}

const far = (opcode: number, selector: number): number[] => [opcode, 0, 0, 0, 0, selector, 0];
const JMP = 0xea;
const CALL = 0x9a;
const STORE_EAX = [0xa3, 0, 0x08, 0, 0]; // mov [0x800], eax
const HALT = 0xf4;
const IRET = 0xcf;
const taskSwitches = (machine: RealGuest): number =>
  machine.events.filter((event) => event.kind === 'kvm_exit' && event.exit_reason === 9).length;

describe('a 32-bit task switch by KVM', () => {
  test.each([
    ['JMP to a TSS', JMP, SELECTOR_B],
    ['JMP to a task gate', JMP, GATE_B],
  ])('by %s saves one task, loads the other and moves the busy bit', (_how, opcode, selector) => {
    const machine = tasks(far(opcode, selector), [...STORE_EAX, HALT]);
    expect(machine.next()).toBe(HLT);
    expect(word(machine, 0x800)).toBe(0xb0b0);
    expect([word(machine, TSS_A + TSS.eax), word(machine, TSS_A + TSS.eip)]).toEqual([0xa0a0, 0x1007]);
    expect([isBusy(machine, SELECTOR_A), isBusy(machine, SELECTOR_B)]).toEqual([false, true]);
    expect(machine.regs()).toMatchObject({ rsp: 0x7000n, rip: BigInt(CODE_B + 6) });
    expect(taskSwitches(machine)).toBe(1);
  });

  test('by CALL links back, and IRET returns behind it', () => {
    // A: call B; mov ebx, eax; hlt. B: mov ecx, [TSS_B]; mov eax, 7; iret; (called again) hlt
    const machine = tasks([...far(CALL, SELECTOR_B), 0x89, 0xc3, HALT], [0xb8, 7, 0, 0, 0, IRET, HALT]);
    expect(machine.next()).toBe(HLT);
    expect(machine.regs()).toMatchObject({ rbx: 0xa0a0n, rip: 0x100an });
    expect(word(machine, TSS_B + TSS.link) & 0xffff).toBe(SELECTOR_A);
    expect(word(machine, TSS_B + TSS.eax)).toBe(7);
    expect([isBusy(machine, SELECTOR_A), isBusy(machine, SELECTOR_B)]).toEqual([true, false]);
    expect(machine.regs().rflags & NT).toBe(0n);
    expect(taskSwitches(machine)).toBe(2);
  });

  test('by INT through a task gate sets NT and both tasks busy', () => {
    const machine = tasks([0xcd, 0x30, HALT], [0x9c, 0x58, ...STORE_EAX, HALT]); // pushf; pop eax
    expect(machine.next()).toBe(HLT);
    expect(BigInt(word(machine, 0x800)) & NT).toBe(NT);
    expect([isBusy(machine, SELECTOR_A), isBusy(machine, SELECTOR_B)]).toEqual([true, true]);
    expect(word(machine, TSS_A + TSS.eip)).toBe(0x1002);
  });

  test('by a fault through a task gate pushes the error code and comes back to the instruction', () => {
    // mov ds, 0x77 is #GP(0x74); B: pop eax; mov [0x800], eax; hlt
    const machine = tasks([0xb8, 0x77, 0, 0, 0, 0x8e, 0xd8, HALT], [0x58, ...STORE_EAX, HALT]);
    expect(machine.next()).toBe(HLT);
    expect(word(machine, 0x800)).toBe(0x74);
    expect(word(machine, TSS_A + TSS.eip)).toBe(0x1005);
  });

  test('to a busy task is #GP in the old one', () => {
    const machine = tasks(far(JMP, SELECTOR_A), [HALT]);
    quad(machine, IDT + 13 * 8, 0x0000_8e00_0008_2000n);
    machine.guest.writeHost(0x2000, Uint8Array.of(HALT));
    expect(machine.next()).toBe(HLT);
    expect(machine.regs().rip).toBe(0x2001n);
    expect(word(machine, Number(machine.regs().rsp))).toBe(SELECTOR_A);
  });

  test('with a TSS that is too short is #TS', () => {
    const machine = tasks(far(JMP, SELECTOR_B), [HALT]);
    quad(machine, GDT + SELECTOR_B, tssDescriptor(TSS_B) - 3n);
    quad(machine, IDT + 10 * 8, 0x0000_8e00_0008_2000n);
    machine.guest.writeHost(0x2000, Uint8Array.of(HALT));
    expect(machine.next()).toBe(HLT);
    expect(machine.regs().rip).toBe(0x2001n);
    expect(word(machine, Number(machine.regs().rsp))).toBe(SELECTOR_B);
  });
});
