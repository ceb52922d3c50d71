import { expect, test } from 'vitest';
import {
  type DeviceAttribute,
  KVM_CREATE_DEVICE,
  KVM_GET_DEVICE_ATTR,
  KVM_HAS_DEVICE_ATTR,
  KVM_SET_DEVICE_ATTR,
} from '../../../src/kvm/ioctl/ioctls.ts';
import { realGuest } from '../real-guest.ts';

const ENXIO = -6;
const ENODEV = -19;
const TSC_OFFSET = { group: 0, attr: 0 };

test('the TSC offset of a vCPU is read and set, and RDTSC follows it', () => {
  const machine = realGuest([0x0f, 0x31, 0xf4]); // rdtsc; hlt
  expect(machine.vcpuIoctl(KVM_HAS_DEVICE_ATTR, { ...TSC_OFFSET })).toBe(0);
  expect(machine.vcpuIoctl(KVM_SET_DEVICE_ATTR, { ...TSC_OFFSET, value: 0x5_0000_0000n })).toBe(0);
  const read: DeviceAttribute = { ...TSC_OFFSET };
  expect(machine.vcpuIoctl(KVM_GET_DEVICE_ATTR, read)).toBe(0);
  expect(read.value).toBe(0x5_0000_0000n);
  machine.next();
  expect(machine.regs().rdx).toBe(5n);
});

test('attributes and devices that do not exist are refused by their errno', () => {
  const machine = realGuest([0xf4]);
  for (const request of [KVM_HAS_DEVICE_ATTR, KVM_GET_DEVICE_ATTR, KVM_SET_DEVICE_ATTR]) {
    expect(machine.vcpuIoctl(request, { group: 0, attr: 1 })).toBe(ENXIO);
    expect(machine.vmIoctl(request, { group: 0, attr: 0 })).toBe(ENXIO);
  }
  expect(machine.vmIoctl(KVM_CREATE_DEVICE, { type: 4, flags: 0 })).toBe(ENODEV);
});

test('the state components a guest may have are an attribute of /dev/kvm', () => {
  const { kvm } = realGuest([0xf4]);
  const read: DeviceAttribute = { group: 0, attr: 0 };
  expect(kvm.ioctl(kvm.open(), KVM_GET_DEVICE_ATTR, read)).toBe(0);
  expect(read.value).toBe(3n);
});
