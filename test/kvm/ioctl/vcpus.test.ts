import { expect, test } from 'vitest';
import { EEXIST, EINVAL } from '../../../src/base/errno.ts';
import * as io from '../../../src/kvm/ioctl/ioctls.ts';
import { realGuest } from '../real-guest.ts';

const CAP_MAX_VCPUS = 66;
const CAP_MAX_VCPU_ID = 128;

/** All the vCPUs KVM_CAP_MAX_VCPUS promises, on the real processor. */
function fullGuest() {
  const guest = realGuest([0xf4], { irqchip: true });
  const most = guest.vmIoctl(io.KVM_CHECK_EXTENSION, CAP_MAX_VCPUS);
  const made = Array.from({ length: most - 1 }, (_, at) => guest.vmIoctl(io.KVM_CREATE_VCPU, at + 1));
  return { guest, most, made };
}

test('as many vCPUs as KVM_CAP_MAX_VCPUS says are made, and no more', () => {
  const { guest, most, made } = fullGuest();
  expect(made.every((fd) => fd > 0)).toBe(true);
  expect(guest.state.vcpus).toHaveLength(most);
  expect(guest.vmIoctl(io.KVM_CREATE_VCPU, most - 1)).toBe(-EINVAL);
});

test('the last has registers of its own', () => {
  const { guest, made } = fullGuest();
  const rsp = 0x1234_5678_9abc_def0n;
  guest.kvm.ioctl(made.at(-1)!, io.KVM_SET_REGS, { ...guest.regs(), rsp });
  const [last, before] = [{} as io.Regs, {} as io.Regs];
  guest.kvm.ioctl(made.at(-1)!, io.KVM_GET_REGS, last);
  guest.kvm.ioctl(made.at(-2)!, io.KVM_GET_REGS, before);
  expect([last.rsp, before.rsp]).toEqual([rsp, 0n]);
  expect(guest.next()).toBe('halted');
  guest.kvm.ioctl(made.at(-1)!, io.KVM_GET_REGS, last);
  expect(last.rsp).toBe(rsp);
});

test('an id from KVM_CAP_MAX_VCPU_ID on is EINVAL, one that is taken EEXIST', () => {
  const guest = realGuest([0xf4], { irqchip: true });
  const ids = guest.vmIoctl(io.KVM_CHECK_EXTENSION, CAP_MAX_VCPU_ID);
  expect([ids, 0xffff_ffff, -1, 0].map((id) => guest.vmIoctl(io.KVM_CREATE_VCPU, id))).toEqual([
    ...[-EINVAL, -EINVAL, -EINVAL],
    -EEXIST,
  ]);
  expect(guest.vmIoctl(io.KVM_CREATE_VCPU, ids - 1)).toBeGreaterThan(0);
});
