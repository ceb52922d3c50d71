import { describe, expect, test } from 'vitest';
import {
  type DebugRegs,
  KVM_GET_DEBUGREGS,
  KVM_SET_DEBUGREGS,
  KVM_SET_GUEST_DEBUG,
} from '../../../src/kvm/ioctl/ioctls.ts';
import { CODE, type RealGuest, realGuest } from '../real-guest.ts';
import { IS_WHOLE } from '../../how-long.ts';

const IO = 2;
const DEBUG = 4;
const HALTED = 5;
const MMIO = 6;
const NOP = 0x90;
const HALT = 0xf4;
const REP = 0xf3;
const OPERAND = 0x66;
const HANDLER = 0x600;
const PORT = 0x100;
const DATA = 0x3000;
const TF = 0x100n;
const BS = 0x4000;
const DE = 8n;
const DB_VECTOR = 1;

/** DR7 with breakpoint `index` enabled: R/W in its low two bits, LEN in the two above. */
const enable = (index: number, kind: number): bigint =>
  (2n << BigInt(2 * index)) | (BigInt(kind) << BigInt(16 + 4 * index));
const AT_IO = { byte: 0b0010, word: 0b0110, long: 0b1110 };

/** Real mode at CODE, DX a port of user space, SI and DI at DATA; #DB comes to HLT and IRET. */
function guestWith(code: readonly number[], change: (machine: RealGuest) => void = () => undefined): RealGuest {
  const machine = realGuest([...code, HALT]);
  const put = (at: number, bytes: readonly number[]): void => machine.guest.writeHost(at, Uint8Array.from(bytes));
  put(4 * DB_VECTOR, [HANDLER & 0xff, HANDLER >>> 8, 0, 0]);
  put(HANDLER, [HALT, 0xcf]);
  put(DATA, [0x11, 0x22, 0x33, 0x44, 0x55, 0x66]);
  machine.setRegs({ rdx: BigInt(PORT), rsi: BigInt(DATA), rdi: BigInt(DATA + 0x100), rcx: 3n });
  change(machine);
  return machine;
}

const setFlags = (bits: bigint) => (machine: RealGuest) => machine.setRegs({ rflags: 2n | bits });

function setBreakpoints(machine: RealGuest, addresses: readonly number[], dr7: bigint, cr4 = DE): void {
  machine.setSregs((sregs) => {
    sregs.cr4 = cr4;
  });
  const db = [0, 1, 2, 3].map((index) => BigInt(addresses[index] ?? 0));
  machine.vcpuIoctl(KVM_SET_DEBUGREGS, { db, dr6: 0xffff0ff0n, dr7: 0x400n | dr7 });
}

/** Where the #DB says it came, from CODE, and the bits of DR6 that say why; the guest stands in its handler. */
function trap(machine: RealGuest): { at: number; dr6: number } {
  const { rip, rsp } = machine.regs();
  expect(Number(rip)).toBe(HANDLER + 1);
  const [low, high] = machine.guest.readHost(Number(rsp), 2);
  const registers = {} as DebugRegs;
  machine.vcpuIoctl(KVM_GET_DEBUGREGS, registers);
  return { at: (low! | (high! << 8)) - CODE, dr6: Number(registers.dr6 & 0xe00fn) };
}

/** Run until the guest halts; its accesses to ports are answered with ones. */
function runToHalt(machine: RealGuest): number {
  let accesses = 0;
  for (let turn = 0; turn < 20; turn++) {
    const reason = machine.next({ data: new Uint8Array(64).fill(0xee) });
    if (reason === HALTED) return accesses;
    expect(reason).toBe(IO);
    accesses += 1;
  }
  throw new Error('the guest does not halt');
}

const ended = (machine: RealGuest): boolean =>
  Number(machine.regs().rip) < HANDLER || Number(machine.regs().rip) >= CODE;

describe('TF over instructions whose port is user space’s', () => {
  test.each([
    ['OUTSB', [0x6e]],
    ['OUTSW', [0x6f]],
    ['OUTSD', [OPERAND, 0x6f]],
    ['INSB', [0x6c]],
    ['INSW', [0x6d]],
    ['INSD', [OPERAND, 0x6d]],
    ['OUT DX,AL', [0xee]],
    ['IN AL,DX', [0xec]],
  ])('%s is trapped right behind', (_, code) => {
    const machine = guestWith([...code, NOP, NOP], setFlags(TF));
    expect(runToHalt(machine)).toBe(1);
    expect(trap(machine)).toEqual({ at: code.length, dr6: BS });
    // And the next one behind itself.
    expect(runToHalt(machine)).toBe(0);
    expect(trap(machine)).toEqual({ at: code.length + 1, dr6: BS });
  });

  test.each([
    ['REP OUTSB', [REP, 0x6e], 1],
    ['REP OUTSD', [REP, OPERAND, 0x6f], 4],
    ['REP INSB', [REP, 0x6c], 1],
    ['REP INSW', [REP, 0x6d], 2],
  ])('%s is trapped after each iteration', (_, code, size) => {
    const machine = guestWith([...code, NOP], setFlags(TF));
    const index = code.at(-1)! < 0x6e ? 'rdi' : 'rsi';
    const from = Number(machine.regs()[index]);
    for (let left = 2; left >= 0; left--) {
      expect(runToHalt(machine)).toBe(1);
      expect(trap(machine)).toEqual({ at: left === 0 ? code.length : 0, dr6: BS });
      const { rcx, [index]: at } = machine.regs();
      expect([Number(rcx), Number(at) - from]).toEqual([left, (3 - left) * size]);
    }
    runToHalt(machine);
    expect(trap(machine).at).toBe(code.length + 1);
  });

  test('REP with nothing to do is one instruction', () => {
    const machine = guestWith([REP, 0x6e, NOP], setFlags(TF));
    machine.setRegs({ rcx: 0n });
    expect(runToHalt(machine)).toBe(0);
    expect(trap(machine)).toEqual({ at: 2, dr6: BS });
  });

  test('without TF an INS takes what the page has room for', () => {
    const machine = guestWith([REP, 0x6c]);
    expect(machine.next()).toBe(IO);
    expect(machine.run.io.count).toBe(3);
  });

  test('user space that steps sees each iteration', () => {
    const machine = guestWith([REP, 0x6e, REP, 0x6c, NOP]);
    machine.vcpuIoctl(KVM_SET_GUEST_DEBUG, { control: 3, debugreg: [] });
    const places: number[] = [];
    for (let turn = 0; places.length < 6 && turn < 40; turn++) {
      const reason = machine.next({ data: new Uint8Array(4) });
      if (reason !== DEBUG) continue;
      places.push(Number(machine.run.debug.pc) - CODE);
      if (places.length !== 3) continue;
      machine.setRegs({ rcx: 3n });
      // What is set elsewhere than where it steps from has no TF until it asks again.
      machine.vcpuIoctl(KVM_SET_GUEST_DEBUG, { control: 3, debugreg: [] });
    }
    expect(places).toEqual([0, 0, 2, 2, 2, 4]);
  });

  test('a write that user space must perform is trapped too', () => {
    // mov [bx],al above the memory there is
    const machine = guestWith([0x88, 0x07, NOP], setFlags(TF));
    machine.setSregs((sregs) => {
      sregs.ds = { ...sregs.ds, base: 0x200000n };
    });
    expect(machine.next()).toBe(MMIO);
    expect(machine.next()).toBe(HALTED);
    expect(trap(machine)).toEqual({ at: 2, dr6: BS });
  });
});

describe('I/O breakpoints', () => {
  const accesses: readonly [string, readonly number[], number][] = [
    ['IN AL,imm8', [0xe4, 0x40], 1],
    ['IN AX,imm8', [0xe5, 0x40], 2],
    ['IN EAX,imm8', [OPERAND, 0xe5, 0x40], 4],
    ['OUT imm8,AL', [0xe6, 0x40], 1],
    ['OUT imm8,AX', [0xe7, 0x40], 2],
    ['OUT imm8,EAX', [OPERAND, 0xe7, 0x40], 4],
    ['IN AL,DX', [0xec], 1],
    ['IN EAX,DX', [OPERAND, 0xed], 4],
    ['OUT DX,AL', [0xee], 1],
    ['OUT DX,AX', [0xef], 2],
    ['INSB', [0x6c], 1],
    ['INSD', [OPERAND, 0x6d], 4],
    ['OUTSB', [0x6e], 1],
    ['OUTSW', [0x6f], 2],
  ];
  const portOf = (code: readonly number[]): number => (code.includes(0x40) ? 0x40 : PORT);

  test.each(IS_WHOLE ? accesses : accesses.filter((_, at) => at % 4 === 0))(
    '%s: #DB behind it, DR6.Bn',
    (_, code, size) => {
      const port = portOf(code);
      const trapOf = (addresses: number[], dr7: bigint): number | undefined => {
        const machine = guestWith([...code, NOP], (made) => setBreakpoints(made, addresses, dr7));
        expect(runToHalt(machine)).toBe(1);
        if (ended(machine)) return undefined;
        const { at, dr6 } = trap(machine);
        expect(at).toBe(code.length);
        // It comes once.
        expect([runToHalt(machine), ended(machine)]).toEqual([0, true]);
        return dr6;
      };
      for (const index of [0, 1, 2, 3]) {
        const addresses = [0, 0, 0, 0];
        addresses[index] = port;
        expect(trapOf(addresses, enable(index, AT_IO.byte))).toBe(1 << index);
      }
      // The access is below and above, by a byte.
      expect(trapOf([port + size - 1], enable(0, AT_IO.byte))).toBe(1);
      expect(trapOf([port + size], enable(0, AT_IO.byte))).toBeUndefined();
      expect(trapOf([port - 1], enable(0, AT_IO.byte))).toBeUndefined();
      // A breakpoint's range is aligned to its length.
      expect(trapOf([port + 3], enable(0, AT_IO.long))).toBe(1);
      expect(trapOf([port + 3], enable(0, AT_IO.word))).toBe(size > 2 ? 1 : undefined);
      expect(trapOf([port, port], enable(0, AT_IO.byte) | enable(1, AT_IO.word))).toBe(3);
      // Data and instruction breakpoints do not look at ports.
      for (const kind of [0b0000, 0b0001, 0b0011]) expect(trapOf([port], enable(0, kind))).toBeUndefined();
    },
  );

  test('without CR4.DE there are none', () => {
    const machine = guestWith([0xee, NOP], (made) => setBreakpoints(made, [PORT], enable(0, AT_IO.byte), 0n));
    expect([runToHalt(machine), ended(machine)]).toEqual([1, true]);
  });

  test('with TF it is one #DB that says both', () => {
    const machine = guestWith([0xef, NOP], (made) => {
      setBreakpoints(made, [PORT + 1], enable(0, AT_IO.byte));
      setFlags(TF)(made);
    });
    runToHalt(machine);
    expect(trap(machine)).toEqual({ at: 1, dr6: BS | 1 });
  });

  test.each([
    ['INSB', 0x6c],
    ['OUTSB', 0x6e],
  ])('REP %s is trapped after each iteration', (_, opcode) => {
    const machine = guestWith([REP, opcode, NOP], (made) => setBreakpoints(made, [PORT], enable(0, AT_IO.byte)));
    for (const at of [0, 0, 2]) {
      expect(runToHalt(machine)).toBe(1);
      expect(trap(machine)).toEqual({ at, dr6: 1 });
    }
    expect([runToHalt(machine), ended(machine)]).toEqual([0, true]);
  });

  test('a breakpoint of user space’s own comes to user space', () => {
    const machine = guestWith([0xee, NOP]);
    machine.setSregs((sregs) => {
      sregs.cr4 = DE;
    });
    const debugreg = [BigInt(PORT), 0n, 0n, 0n, 0n, 0n, 0n, 0x400n | enable(0, AT_IO.byte)];
    machine.vcpuIoctl(KVM_SET_GUEST_DEBUG, { control: 0x20001, debugreg });
    expect(machine.next()).toBe(IO);
    expect(machine.next()).toBe(DEBUG);
    expect([Number(machine.run.debug.pc) - CODE, machine.run.debug.dr6]).toEqual([1, 0xffff0ff1n]);
  });
});

describe('data breakpoints at instructions KVM performs', () => {
  const WRITES = 0b0001;
  const BOTH = 0b0011;

  test.each([
    ['INSB', [0x6c], DATA + 0x100, WRITES],
    ['INSB, a read-write one', [0x6c], DATA + 0x100, BOTH],
    ['OUTSB', [0x6e], DATA, BOTH],
  ])('%s: #DB behind it', (_, code, address, kind) => {
    const machine = guestWith([...code, NOP], (made) => setBreakpoints(made, [address], enable(0, kind)));
    expect(runToHalt(machine)).toBe(1);
    expect(trap(machine)).toEqual({ at: 1, dr6: 1 });
    expect([runToHalt(machine), ended(machine)]).toEqual([0, true]);
  });

  test('REP INSB: after the iteration that meets it', () => {
    const machine = guestWith([REP, 0x6c, NOP], (made) => setBreakpoints(made, [DATA + 0x101], enable(0, WRITES)));
    runToHalt(machine);
    expect(trap(machine)).toEqual({ at: 0, dr6: 1 });
    expect(machine.regs().rcx).toBe(1n);
    expect([runToHalt(machine), ended(machine)]).toEqual([1, true]);
  });

  test('one that MOV SS has held back comes behind an OUT', () => {
    // mov ss,[DATA + 0x40]; out dx,al; nop
    const code = [0x8e, 0x16, 0x40, DATA >>> 8, 0xee, NOP];
    const machine = guestWith(code, (made) => setBreakpoints(made, [DATA + 0x40], enable(0, BOTH)));
    expect(runToHalt(machine)).toBe(1);
    expect(trap(machine)).toEqual({ at: 5, dr6: 1 });
    expect([runToHalt(machine), ended(machine)]).toEqual([0, true]);
  });
});
