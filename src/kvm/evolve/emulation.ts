/** What facts do to the instruction under emulation: what it has read, what it is still to write. */
import type { Draft } from '../../base/draft.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { EPT_VIOLATION } from '../emulation.ts';
import { unpackWrites } from '../packed-writes.ts';
import type { VcpuState } from '../state.ts';

type Vcpu = Draft<VcpuState>;

/** Nothing is under emulation: the guest exited anew. */
export function forget({ emulation }: Vcpu): void {
  if (emulation.reads.length > 0) emulation.reads = [];
  if (emulation.writes.length > 0) emulation.writes = [];
  emulation.reading = undefined;
}

/** sim:emulated. */
export function emulated({ emulation }: Vcpu, { then, at, size, count, bytes }: EventOf<'sim:emulated'>): void {
  switch (then) {
    case 'done':
      emulation.reads = [];
      emulation.writes = unpackWrites(bytes).map((write) => ({ gpa: write.gpa, bytes: [...write.bytes] }));
      return;
    case 'read':
      emulation.reading = { gpa: at, length: size, bytes: [] };
      return;
    case 'in':
      emulation.reading = { gpa: at, length: size * count, bytes: [] };
      return;
    case 'out':
      emulation.reads = [];
      return;
    default:
  }
}

/** sim:emulation_exited: after an exception the instruction begins anew. */
export function exited({ emulation }: Vcpu, event: EventOf<'sim:emulation_exited'>): void {
  if (event.exit_reason !== EPT_VIOLATION) emulation.reads = [];
}

/** kvm_mmio: a fragment was read or written. */
export function accessed({ emulation }: Vcpu, { type, len, val }: EventOf<'kvm_mmio'>): void {
  const READ = 1;
  const WRITE = 2;
  if (type === READ) received(emulation, bytesOf(val, len));
  else if (type === WRITE) written(emulation, len);
}

/** kvm_fast_mmio: the write was an eventfd's. */
export function fastWritten({ emulation }: Vcpu): void {
  emulation.writes = [];
}

/** kvm_pio of a string instruction that reads. */
export function stringRead({ emulation }: Vcpu, { rw, data }: EventOf<'kvm_pio'>): void {
  if (rw === 0 && data.length > 0) received(emulation, [...data]);
}

type Emulation = Vcpu['emulation'];

function received(emulation: Emulation, bytes: readonly number[]): void {
  const { reading } = emulation;
  if (reading === undefined) return;
  reading.bytes.push(...bytes);
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

function bytesOf(value: bigint, length: number): number[] {
  return Array.from({ length }, (_, at) => Number((value >> BigInt(8 * at)) & 0xffn));
}
