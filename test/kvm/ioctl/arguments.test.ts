import { expectTypeOf, test } from 'vitest';
import type { BareRequest, IoctlArguments, IoctlRequest } from '../../../src/kvm/ioctl/arguments.ts';
import type * as io from '../../../src/kvm/ioctl/ioctls.ts';

type Takes<R extends IoctlRequest, A> = A extends IoctlArguments[R] ? true : false;
type MayBeBare<R extends IoctlRequest> = R extends BareRequest ? true : false;

/** Judged by the compiler. */
test('a request takes its own argument and no other', () => {
  expectTypeOf<Takes<typeof io.KVM_SET_REGS, io.Regs>>().toEqualTypeOf<true>();
  expectTypeOf<Takes<typeof io.KVM_SET_REGS, number>>().toEqualTypeOf<false>();
  expectTypeOf<Takes<typeof io.KVM_CREATE_VCPU, number>>().toEqualTypeOf<true>();
  expectTypeOf<Takes<typeof io.KVM_IRQ_LINE, io.Msi>>().toEqualTypeOf<false>();
});

test('only a request without an argument may come without one', () => {
  expectTypeOf<MayBeBare<typeof io.KVM_CREATE_IRQCHIP>>().toEqualTypeOf<true>();
  expectTypeOf<MayBeBare<typeof io.KVM_SET_REGS>>().toEqualTypeOf<false>();
});

test('there is no request of another number', () => {
  expectTypeOf<0x1234 extends IoctlRequest ? true : false>().toEqualTypeOf<false>();
});
