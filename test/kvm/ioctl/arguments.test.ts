import { expectTypeOf, test } from 'vitest';
import type { Kvm } from '../../../src/kvm/api.ts';
import type { IoctlArguments } from '../../../src/kvm/ioctl/arguments.ts';
import * as io from '../../../src/kvm/ioctl/ioctls.ts';

/** Judged by the compiler. */
export function calls(kvm: Kvm, regs: io.Regs): void {
  kvm.ioctl(5, io.KVM_SET_REGS, regs);
  kvm.ioctl(4, io.KVM_CREATE_IRQCHIP);
  // @ts-expect-error: registers are not a number
  kvm.ioctl(5, io.KVM_SET_REGS, 1);
  // @ts-expect-error: a request that has an argument needs it
  kvm.ioctl(5, io.KVM_SET_REGS);
  // @ts-expect-error: nobody answers this number
  kvm.ioctl(5, 0x1234, regs);
}

test('every request of the table has an argument of its own', () => {
  expectTypeOf<IoctlArguments[typeof io.KVM_SET_REGS]>().toEqualTypeOf<io.Regs>();
  expectTypeOf<keyof IoctlArguments>().toExtend<number>();
});
