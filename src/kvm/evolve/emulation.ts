/** What facts do to the instruction under emulation: what it has read, what it is still to write. */
import type { Draft } from '../../base/draft.ts';
import { invariant } from '../../base/invariant.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { EXIT } from '../../x86/exit-reasons.ts';
import { unpackWrites } from '../io/packed-writes.ts';
import type { VcpuState } from '../state.ts';

type Vcpu = Draft<VcpuState>;

/** sim:emulated. */
export function emulated(vcpu: Vcpu, { then, at, size, count, bytes, breakpoints }: EventOf<'sim:emulated'>): void {
  if (breakpoints !== 0) vcpu.exit.breakpoints |= breakpoints;
  switch (then) {
    case 'done':
      vcpu.emulation = undefined;
      if (bytes.length > 0)
        underWay(vcpu).writes = unpackWrites(bytes).map(({ gpa, bytes: all }) => ({ gpa, bytes: [...all] }));
      return;
    case 'read':
      underWay(vcpu).reading = { gpa: at, length: size, bytes: [] };
      return;
    case 'in':
      underWay(vcpu).reading = { gpa: at, length: size * count, bytes: [] };
      return;
    case 'out':
      vcpu.emulation = undefined;
      return;
    default:
  }
}

function underWay(vcpu: Vcpu): Emulation {
  vcpu.emulation ??= { reads: [], reading: undefined, writes: [] };
  return vcpu.emulation;
}

/** sim:emulation_exited: after an exception the instruction begins anew. */
export function exited(vcpu: Vcpu, event: EventOf<'sim:emulation_exited'>): void {
  if (event.exit_reason !== EXIT.EPT_VIOLATION) vcpu.emulation = undefined;
}

/** kvm_mmio: a fragment was read or written. */
export function accessed({ emulation }: Vcpu, { type, len, val }: EventOf<'kvm_mmio'>): void {
  const READ = 1;
  const WRITE = 2;
  if (emulation === undefined) return;
  if (type === READ) received(emulation, bytesOf(val, len));
  else if (type === WRITE) written(emulation, len);
}

/** kvm_fast_mmio: the write was an eventfd's. */
export function fastWritten(vcpu: Vcpu): void {
  vcpu.emulation = undefined;
}

/** kvm_pio of a string instruction that reads. */
export function stringRead({ emulation }: Vcpu, { rw, data }: EventOf<'kvm_pio'>): void {
  if (emulation !== undefined && rw === 0 && data.length > 0) received(emulation, [...data]);
}

type Emulation = NonNullable<Vcpu['emulation']>;

function received(emulation: Emulation, bytes: readonly number[]): void {
  const { reading } = emulation;
  if (reading === undefined) return;
  for (const byte of bytes) reading.bytes.push(byte);
  if (reading.bytes.length < reading.length) return;
  emulation.reads.push({ gpa: reading.gpa, bytes: reading.bytes });
  emulation.reading = undefined;
}

function written(emulation: Emulation, length: number): void {
  const [first] = emulation.writes;
  if (first === undefined) return;
  if (first.bytes.length <= length) emulation.writes.shift();
  else {
    first.gpa += length;
    first.bytes.splice(0, length);
  }
}

/** KVM cuts an access into fragments of so many bytes. */
const LONGEST_FRAGMENT = 8;

function bytesOf(value: bigint, length: number): number[] {
  invariant(length <= LONGEST_FRAGMENT, 'a fragment has at most eight bytes', { length });
  const bytes: number[] = [];
  let low = Number(BigInt.asUintN(32, value));
  for (let at = 0; at < length; at += 1) {
    if (at === 4) low = Number(value >> 32n);
    bytes.push((low >>> (8 * (at & 3))) & 0xff);
  }
  return bytes;
}
