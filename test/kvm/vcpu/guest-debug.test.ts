import { expect, test } from 'vitest';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import {
  type DebugRegs,
  KVM_GET_DEBUGREGS,
  KVM_SET_DEBUGREGS,
  KVM_SET_GUEST_DEBUG,
} from '../../../src/kvm/ioctl/ioctls.ts';
import { CODE, type RealGuest, realGuest } from '../real-guest.ts';

const IO = 2;
const DEBUG = 4;
const HLT = 5;
const ENABLE = 1;
const STEP = 2;
const SW_BP = 0x10000;
const HW_BP = 0x20000;
const INJECT_DB = 0x40000;

const NOP = 0x90;
const HALT = 0xf4;
const debug = (machine: RealGuest, control: number, debugreg: readonly bigint[] = []): number =>
  machine.vcpuIoctl(KVM_SET_GUEST_DEBUG, { control, debugreg: [...debugreg] });
/** What KVM_EXIT_DEBUG says, with the address counted from CODE. */
const stopped = ({ run: { debug: at } }: RealGuest) => ({ ...at, pc: Number(at.pc) - CODE });

test('stepping stops after each instruction, those KVM performs included', () => {
  // nop; cpuid; out 0x80, al; mov bl, 5; hlt
  const machine = realGuest([NOP, 0x0f, 0xa2, 0xe6, 0x80, 0xb3, 5, HALT]);
  debug(machine, ENABLE | STEP);
  const places: number[] = [];
  for (const reason of [DEBUG, DEBUG, IO, DEBUG, DEBUG]) {
    expect(machine.next()).toBe(reason);
    if (reason === DEBUG) places.push(stopped(machine).pc);
  }
  expect(places).toEqual([1, 3, 5, 7]);
  expect(stopped(machine)).toMatchObject({ exception: 1, dr6: 0xffff4ff0n });
});

test('the TF that steps is hidden from user space and goes with it', () => {
  const machine = realGuest([NOP, 0x9c, 0x58, HALT]); // nop; pushf; pop ax; hlt
  debug(machine, ENABLE | STEP);
  machine.next();
  expect(machine.regs().rflags & 0x100n).toBe(0n);
  debug(machine, 0);
  expect(machine.next()).toBe(HLT);
  expect(machine.regs().rax & 0x100n).toBe(0n);
});

test('steps over MOV SS without losing its way', () => {
  const machine = realGuest([0x8e, 0xd0, NOP, NOP, HALT]); // mov ss, ax; nop; nop; hlt
  debug(machine, ENABLE | STEP);
  expect([machine.next(), stopped(machine).pc]).toEqual([DEBUG, 3]);
  expect([machine.next(), stopped(machine).pc]).toEqual([DEBUG, 4]);
});

test('a hardware breakpoint of user space stops before its instruction and leaves the guest registers alone', () => {
  const machine = realGuest([NOP, NOP, NOP, HALT]);
  machine.vcpuIoctl(KVM_SET_DEBUGREGS, { db: [0x77n, 0n, 0n, 0n], dr6: 0xffff0ff0n, dr7: 0x400n });
  debug(machine, ENABLE | HW_BP, [BigInt(CODE + 2), 0n, 0n, 0n, 0n, 0n, 0n, 0x402n]);
  expect(machine.next()).toBe(DEBUG);
  expect(stopped(machine)).toEqual({ exception: 1, pc: 2, dr6: 0xffff0ff1n, dr7: 0x402n });
  const seen = {} as DebugRegs;
  machine.vcpuIoctl(KVM_GET_DEBUGREGS, seen);
  expect(seen).toMatchObject({ db: [0x77n, 0n, 0n, 0n], dr7: 0x400n });
  debug(machine, 0);
  expect(machine.guest.registers(0).dr(0)).toBe(0x77n);
  expect(machine.next()).toBe(HLT);
});

test('a watchpoint of user space stops after the write', () => {
  // mov byte [0x3000], 1; nop; hlt
  const machine = realGuest([0xc6, 0x06, 0, 0x30, 1, NOP, HALT]);
  debug(machine, ENABLE | HW_BP, [0n, 0x3000n, 0n, 0n, 0n, 0n, 0n, 0x10_0404n | (1n << 20n)]);
  expect(machine.next()).toBe(DEBUG);
  expect(stopped(machine)).toMatchObject({ pc: 5, dr6: 0xffff0ff2n });
});

test('MOV to and from debug registers works on the ones of the guest meanwhile', () => {
  // mov eax, 0x1234; mov dr1, eax; mov ebx, dr1; hlt
  const code = [0x66, 0xb8, 0x34, 0x12, 0, 0, 0x0f, 0x23, 0xc8, 0x0f, 0x21, 0xcb, HALT];
  const machine = realGuest(code);
  debug(machine, ENABLE | HW_BP, [0n, 0x5555n, 0n, 0n, 0n, 0n, 0n, 0x400n]);
  expect(machine.next()).toBe(HLT);
  expect(machine.regs().rbx & 0xffff_ffffn).toBe(0x1234n);
  expect(machine.guest.registers(0).dr(1)).toBe(0x5555n);
});

test('INT3 comes to user space only when it asks for it', () => {
  const vector = [0, 0x20, 0, 0];
  const machine = realGuest([NOP, 0xcc, HALT]);
  machine.guest.writeHost(3 * 4, Uint8Array.from(vector));
  machine.guest.writeHost(0x2000, Uint8Array.of(0xb3, 9, HALT)); // mov bl, 9; hlt
  debug(machine, ENABLE | SW_BP);
  expect(machine.next()).toBe(DEBUG);
  expect(stopped(machine)).toMatchObject({ exception: 3, pc: 1 });
  debug(machine, 0);
  expect(machine.next()).toBe(HLT);
  expect(machine.regs().rbx & 0xffn).toBe(9n);
});

test('injects a #DB on demand, once', () => {
  const machine = realGuest([NOP, HALT]);
  machine.guest.writeHost(4, Uint8Array.of(0, 0x20, 0, 0));
  machine.guest.writeHost(0x2000, Uint8Array.of(HALT));
  expect(debug(machine, ENABLE | INJECT_DB)).toBe(0);
  expect(debug(machine, ENABLE | INJECT_DB)).toBe(-16);
  expect(machine.next()).toBe(HLT);
  expect(machine.regs().rip).toBe(0x2001n);
  const isFirst = (event: MachineEvent) => event.kind === 'kvm_inj_exception' && !event.reinjected;
  const injected = machine.events.filter(isFirst);
  expect(injected).toHaveLength(1);
});

test("the guest's own TF still traps in the guest", () => {
  const machine = realGuest([NOP, NOP, HALT]);
  machine.guest.writeHost(4, Uint8Array.of(0, 0x20, 0, 0));
  machine.guest.writeHost(0x2000, Uint8Array.of(HALT));
  machine.setRegs({ rflags: 0x102n });
  expect(machine.next()).toBe(HLT);
  expect(machine.regs().rip).toBe(0x2001n);
});
