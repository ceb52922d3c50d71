/** I/O instructions. SDM Vol. 3, Table 28-5; Linux handle_io, kvm_fast_pio. */
import { bytesOf, numberOf, portRead, portWrite } from '../io/buses.ts';
import type { KvmContext } from '../context.ts';
import { field, OPERANDS, QUALIFICATION } from '../../x86/exit-reasons.ts';
import type { GuestStop } from '../../x86/guest.ts';
import type { VcpuState } from '../state.ts';
import { exitIo, type Handled } from '../io/userspace.ts';
import { emulateExit } from './fetch.ts';
import { skip } from './handled.ts';
import { GPR } from '../../x86/registers.ts';

const Q = QUALIFICATION.IO_INSTRUCTION;
/** Old firmware expects rip past this OUT when user space looks (KVM_X86_QUIRK_OUT_7E_INC_RIP). */
const PORT_7E = 0x7e;
const NO_BYTES = new Uint8Array(0);

/** Exit 30. */
export function handleIo(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const qualification = Number(stop.exit.qualification);
  if (field(qualification, Q.string) !== 0) return emulateExit(kvm, vcpu, stop);
  const port = field(qualification, Q.port);
  const size = field(qualification, Q.size) + 1;
  if (field(qualification, Q.in) !== 0) return portIn(kvm, vcpu, port, size);
  return portOut(kvm, vcpu, port, size, stop[OPERANDS.IO_INSTRUCTION.out]);
}

function portOut(kvm: KvmContext, vcpu: VcpuState, port: number, size: number, rax: bigint): Handled {
  const value = Number(BigInt.asUintN(size * 8, rax));
  kvm.raise({ kind: 'kvm_pio', rw: 1, port, size, count: 1, val: value, data: NO_BYTES });
  if (portWrite(kvm, port, size, value)) return skip(kvm, vcpu, vcpu.exit.instructionLength);
  if (port === PORT_7E) skip(kvm, vcpu, vcpu.exit.instructionLength);
  return exitIo({ rw: 1, port, size, count: 1 }, bytesOf(value, size), 'pio-out');
}

/** User space has taken what an OUT gave. */
export function completeOut(kvm: KvmContext, vcpu: VcpuState): Handled {
  return vcpu.run.io.port === PORT_7E ? 'resume' : skip(kvm, vcpu, vcpu.exit.instructionLength);
}

function portIn(kvm: KvmContext, vcpu: VcpuState, port: number, size: number): Handled {
  const value = portRead(kvm, port, size);
  if (value === undefined) return exitIo({ rw: 0, port, size, count: 1 }, NO_BYTES, 'pio-in');
  return finishIn(kvm, vcpu, port, size, value);
}

/** complete_fast_pio_in: the value goes to AL, AX or EAX. */
export function completeIn(kvm: KvmContext, vcpu: VcpuState, data: Uint8Array): Handled {
  const { port, size } = vcpu.run.io;
  return finishIn(kvm, vcpu, port, size, numberOf(data, size));
}

function finishIn(kvm: KvmContext, vcpu: VcpuState, port: number, size: number, value: number): Handled {
  kvm.raise({ kind: 'kvm_pio', rw: 0, port, size, count: 1, val: value, data: NO_BYTES });
  const width = size * 8;
  const low = BigInt.asUintN(width, BigInt(value));
  const { operand: rax, instructionLength } = vcpu.exit;
  kvm.guest.setGpr(vcpu.index, GPR.RAX, size === 4 ? low : ((rax >> BigInt(width)) << BigInt(width)) | low);
  return skip(kvm, vcpu, instructionLength);
}
