import { createHash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Stamped } from '../../../src/events/stamped.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import type { MachineState } from '../../../src/reducers/state.ts';
import { Payloads } from '../../../src/memory/payloads.ts';
import type { ByteSource } from '../../../src/replay/trace/opened.ts';
import { type ByteSink, createTraceWriter } from '../../../src/replay/trace/writer.ts';
import { chance } from './mutated.ts';

export const deflate = (raw: Uint8Array): Uint8Array => deflateRawSync(raw, { level: 1 });
export const inflate = (stored: Uint8Array): Uint8Array => inflateRawSync(stored);

export const SUBJECT = {
  engineVersion: '0.1.0',
  machine: { memory: 64 << 20, cpus: 2 },
  images: [{ role: 'bios', name: 'bios.bin', sha256: 'ab'.repeat(32), bytes: 262144 }],
  seed: '7',
};

/** A sink that keeps what it is given, and the whole as one array. */
export function memorySink(): ByteSink & { bytes(): Uint8Array } {
  const parts: Uint8Array[] = [];
  return {
    append: (bytes) => void parts.push(bytes.slice()),
    bytes: () => new Uint8Array(Buffer.concat(parts)),
  };
}

export const sourceOf = (bytes: Uint8Array, name = 'run.trace'): ByteSource => ({
  name,
  size: bytes.length,
  read: (offset, length) => bytes.subarray(offset, offset + length),
});

const exit = (i: number): MachineEvent => ({
  kind: 'kvm_exit',
  exit_reason: [10, 30, 48, 32][i % 4]!,
  guest_rip: 0xffffffff81000000n + BigInt((i * 7919) % 65536),
  isa: 1,
  info1: i % 4 === 1 ? 0x3f80000n : 0n,
  info2: 0,
  intr_info: 0,
  error_code: 0,
  vcpu_id: i % 2,
  requests: 0,
  ticks: 100 + ((i * 31) % 900),
  rflags: 0x246,
  interruptibility: 0,
  cr8: 0,
  insn_len: 2,
  insn_info: 0,
  idt_error_code: 0,
  gla: 0n,
  gpa: 0,
  a0: BigInt(i % 256),
  a1: 0n,
  a2: 0n,
  a3: 0n,
  a4: 0n,
  a5: 0n,
});

const KINDS: readonly ((i: number) => MachineEvent)[] = [
  exit,
  (i) => ({
    kind: 'kvm_pio',
    rw: i & 1,
    port: 0x3f8 + (i % 8),
    size: 1,
    count: 1,
    val: i % 256,
    data: new Uint8Array(0),
  }),
  (i) => ({
    kind: 'kvm_entry',
    vcpu_id: i % 2,
    rip: 0xffffffff81000000n + BigInt(i % 65536),
    immediate_exit: false,
    intr_info: 0,
    error_code: 0,
  }),
  exit,
  (i) => ({ kind: 'kvm_msr', write: 1, ecx: 0x6e0, data: BigInt(i) * 0x1_0000_0001n, exception: 0 }),
  (i) => ({ kind: 'kvm_eoi', apicid: i % 2, vector: i % 3 === 0 ? -1 : 32 + (i % 200) }),
  (i) => ({ kind: 'sim:serial_received', line: 0, bytes: Uint8Array.of(i & 255, (i >> 8) & 255) }),
  (i) => ({ kind: 'sim:timer_arm', id: i % 2 ? 'pit' : 'lapic0', deadline: i * 123_457 }),
];

/** Deterministic events of many kinds. */
export function sampleEvents(count: number): Stamped[] {
  return Array.from({ length: count }, (_, i) => ({
    seq: i,
    tick: i * 37 + ((i * i) % 11),
    source: 16 + (i % 2),
    cause: i % 3 === 0 && i > 0 ? i - 1 : undefined,
    within: i % 5 === 0 && i > 0 ? i - 1 - (i % 4) : undefined,
    event: KINDS[i % KINDS.length]!(i),
  }));
}

/** A closed trace of these events. */
export function traceOf(events: readonly Stamped[]): Uint8Array {
  const sink = memorySink();
  const writer = createTraceWriter(sink, deflate, SUBJECT);
  for (const stamped of events) writer.append(stamped);
  writer.close();
  return sink.bytes();
}

const line = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);

/** True when `read` is the beginning of `events`: much quicker than a deep comparison of thousands. */
export const isBeginningOf = (read: readonly unknown[], events: readonly Stamped[]): boolean =>
  read.every((stamped, i) => JSON.stringify(stamped, line) === JSON.stringify(events[i], line));

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Bytes that deflate does not make smaller. */
export function noise(length: number, seed: number): Uint8Array {
  const draw = chance(seed);
  return Uint8Array.from({ length }, () => draw(256));
}

export interface WithPayloads {
  readonly bytes: Uint8Array;
  readonly events: readonly Stamped[];
  readonly payloads: readonly Uint8Array[];
}

/** A trace whose inputs bring these, one after the other and then all again, among other events. */
export function traceWith(payloads: readonly Uint8Array[]): WithPayloads {
  const store = new Payloads(sha256);
  const sink = memorySink();
  const writer = createTraceWriter(sink, deflate, SUBJECT, { payloads: store });
  const events = sampleEvents(12_000).map((stamped, at) => {
    const payload = at % 50 === 0 ? payloads[(at / 50) % payloads.length] : undefined;
    if (payload === undefined) return stamped;
    const named = { sha256: store.keep(payload), len: payload.length };
    return { ...stamped, event: { kind: 'sim:payload_received', dev: 'nic', ...named } as const };
  });
  for (const stamped of events) writer.append(stamped);
  writer.close();
  return { bytes: sink.bytes(), events, payloads };
}

/** A machine's state with no more than what a stored checkpoint is known by: its place, and what it was made as. */
export const bareState = (seq: number): MachineState => {
  const bare: unknown = {
    at: { seq: seq - 1 },
    config: {},
    clock: { warpedNs: 0, wallClockAtPowerOn: 0n },
    schedule: { threads: [{ kind: 'vcpu', source: 16 }], turn: 0, nextDigest: 0 },
    chance: { seed: '7' },
    hostMemory: { next: 0 },
    kvm: { vcpus: [] },
  };
  return bare as MachineState;
};
