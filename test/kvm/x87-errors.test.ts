import { expect, test } from 'vitest';
import { realGuest } from './real-guest.ts';

/** fninit; fldcw [0x3000] (nothing masked); fldz; fldz; fdivp; fwait; hlt */
const DIVIDE = [0xdb, 0xe3, 0xd9, 0x2e, 0, 0x30, 0xd9, 0xee, 0xd9, 0xee, 0xde, 0xf9, 0x9b, 0xf4];

test('an x87 error is #MF also where the guest has CR0.NE clear, as VMX fixes it to 1', () => {
  const machine = realGuest([...DIVIDE]);
  machine.guest.writeHost(0x3000, Uint8Array.of(0x40, 0x03));
  machine.guest.writeHost(16 * 4, Uint8Array.of(0, 0x20, 0, 0));
  machine.guest.writeHost(0x2000, Uint8Array.of(0x0f, 0x20, 0xc0, 0xf4)); // mov eax, cr0; hlt
  expect(machine.next()).toBe(5);
  const { rip, rax } = machine.regs();
  expect(rip).toBe(0x2004n);
  expect(rax & 0x20n).toBe(0n);
  expect(machine.guest.registers(0).cr0 & 0x20n).toBe(0x20n);
});
