/** KVM_HAS/GET/SET_DEVICE_ATTR on the system's and a vCPU's descriptor. Documentation/virt/kvm/devices/vcpu.rst, 4. */
import { synchronizeTscOffset } from '../clock/tsc.ts';
import type { KvmContext } from '../context.ts';
import { ENXIO } from '../../base/errno.ts';
import type { DeviceAttribute } from './ioctls.ts';
import type { VcpuState } from '../state.ts';

const VCPU_TSC_CTRL = 0;
const VCPU_TSC_OFFSET = 0;
const XCOMP_GUEST_SUPP = 0;
/** State components a guest may have: x87 and SSE. */
const XCR0_SUPPORTED = 3n;

const isTscOffset = ({ group, attr }: DeviceAttribute): boolean => group === VCPU_TSC_CTRL && attr === VCPU_TSC_OFFSET;

/** The state components guests may have: the one attribute of /dev/kvm. */
export function systemAttribute(attribute: DeviceAttribute, read: boolean): number {
  if (attribute.group !== 0 || attribute.attr !== XCOMP_GUEST_SUPP) return -ENXIO;
  if (read) attribute.value = XCR0_SUPPORTED;
  return 0;
}

/** KVM_HAS_DEVICE_ATTR of a vCPU. */
export function hasVcpuAttribute(_kvm: KvmContext, _vcpu: VcpuState, attribute: DeviceAttribute): number {
  return isTscOffset(attribute) ? 0 : -ENXIO;
}

/** KVM_GET_DEVICE_ATTR of a vCPU: the offset between host and guest TSC. */
export function getVcpuAttribute(_kvm: KvmContext, vcpu: VcpuState, attribute: DeviceAttribute): number {
  if (!isTscOffset(attribute)) return -ENXIO;
  attribute.value = vcpu.tsc.offset;
  return 0;
}

/** KVM_SET_DEVICE_ATTR of a vCPU. */
export function setVcpuAttribute(kvm: KvmContext, vcpu: VcpuState, attribute: DeviceAttribute): number {
  if (!isTscOffset(attribute)) return -ENXIO;
  const { group, attr, value = 0n } = attribute;
  const set = kvm.raise({ kind: 'ioctl:KVM_SET_DEVICE_ATTR', vcpu_id: vcpu.index, group, attr, value });
  synchronizeTscOffset(kvm.after(set), vcpu, value);
  return 0;
}
