/** I/O instructions. SDM Vol. 3, Table 28-5; Linux handle_io, kvm_fast_pio. */
import { numberOf, portRead, portWrite } from '../buses.ts';
import type { KvmContext } from '../context.ts';
import type { GuestStop } from '../guest.ts';
import type { VcpuState } from '../state.ts';
import { exitIo, zeroBytes } from '../userspace.ts';
import { emulateExit } from './fetch.ts';
import { type Handled, skip } from './handled.ts';

const RAX = 0;
const STRING = 0x10;
const IN = 8;
/** Old firmware expects rip past this OUT when user space looks (KVM_X86_QUIRK_OUT_7E_INC_RIP). */
const PORT_7E = 0x7e;

/** Exit 30. */
export function handleIo(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const qualification = Number(stop.exit.qualification);
  if ((qualification & STRING) !== 0) return emulateExit(kvm, vcpu, stop);
  const port = qualification >>> 16;
  const size = (qualification & 7) + 1;
  const length = stop.exit.instructionLength;
  return (qualification & IN) !== 0
    ? portIn(kvm, vcpu, port, size, stop.a0, length)
    : portOut(kvm, vcpu, port, size, stop.a0, length);
}

function portOut(kvm: KvmContext, vcpu: VcpuState, port: number, size: number, rax: bigint, length: number): Handled {
  const value = Number(BigInt.asUintN(size * 8, rax));
  kvm.host.raise({ kind: 'kvm_pio', rw: 1, port, size, count: 1, val: value });
  if (portWrite(kvm, port, size, value)) return skip(kvm, vcpu, length);
  const data: number[] = [];
  for (let i = 0; i < size; i += 1) data.push((value >>> (8 * i)) & 0xff);
  exitIo(vcpu, 1, port, size, 1, data);
  if (port === PORT_7E) skip(kvm, vcpu, length);
  vcpu.pending = { kind: 'pio-out', instructionLength: port === PORT_7E ? 0 : length };
  return 'userspace';
}

function portIn(kvm: KvmContext, vcpu: VcpuState, port: number, size: number, rax: bigint, length: number): Handled {
  const value = portRead(kvm, port, size);
  if (value !== undefined) return finishIn(kvm, vcpu, port, size, rax, value, length);
  exitIo(vcpu, 0, port, size, 1, zeroBytes(size));
  vcpu.pending = { kind: 'pio-in', size, port, rax, instructionLength: length };
  return 'userspace';
}

/** complete_fast_pio_in: the value goes to AL, AX or EAX. */
export function completeIn(
  kvm: KvmContext,
  vcpu: VcpuState,
  port: number,
  size: number,
  rax: bigint,
  length: number,
): Handled {
  return finishIn(kvm, vcpu, port, size, rax, numberOf(vcpu.run.io.data), length);
}

function finishIn(
  kvm: KvmContext,
  vcpu: VcpuState,
  port: number,
  size: number,
  rax: bigint,
  value: number,
  length: number,
): Handled {
  kvm.host.raise({ kind: 'kvm_pio', rw: 0, port, size, count: 1, val: value });
  const width = size * 8;
  const low = BigInt.asUintN(width, BigInt(value));
  kvm.guest.setGpr(vcpu.index, RAX, size === 4 ? low : ((rax >> BigInt(width)) << BigInt(width)) | low);
  return skip(kvm, vcpu, length);
}
