import type { MachineEvent } from '../events/vocabulary.ts';
import type { Emulated, ExecutionControls, Guest, GuestStop, MmioAccess, Registers, VmExit } from '../kvm/guest.ts';

/** What the machine does around the processor's answers. */
export interface Witness {
  raise(event: MachineEvent): void;
  /** VM entry and run: the machine cuts the budget, moves the clock and raises how it ended. */
  run(vcpu: number, budget: number, inject: Parameters<Guest['run']>[2]): GuestStop;
  /** The controls are kept too: a checkpoint puts them back. */
  setControls(vcpu: number, controls: ExecutionControls): void;
  /** An instruction was retired outside a run. */
  retired(): void;
}

/**
 * The same guest, with every answer that does not come with a kvm_exit raised as a fact, so that the hypervisor's
 * state can be folded from events alone.
 */
export function witnessed(guest: Guest, witness: Witness): Guest {
  const { raise } = witness;
  const views: Registers[] = [];
  return {
    registers(vcpu) {
      views[vcpu] ??= witnessedRegisters(guest.registers(vcpu), vcpu, raise);
      return views[vcpu];
    },
    addVcpu: () => guest.addVcpu(),
    resetVcpu: (vcpu, kind) => guest.resetVcpu(vcpu, kind),
    setControls: witness.setControls,
    run: witness.run,
    emulate(vcpu, reads, memory) {
      const emulated = guest.emulate(vcpu, reads, memory);
      if (emulated.then === 'done') witness.retired();
      raise(emulatedFact(vcpu, emulated));
      if (emulated.then === 'exit') raise(emulationExit(vcpu, emulated.exit));
      return emulated;
    },
    taskSwitch(vcpu, task, memory) {
      const switched = guest.taskSwitch(vcpu, task, memory);
      const { then, vector, errorCode, address } = switched;
      if (then === 'done') witness.retired();
      raise({ kind: 'sim:task_switched', vcpu_id: vcpu, outcome: then, vector, error_code: errorCode, address });
      return switched;
    },
    setGpr: (vcpu, index, value) => guest.setGpr(vcpu, index, value),
    setRip: (vcpu, rip) => guest.setRip(vcpu, rip),
    skipInstruction(vcpu, length) {
      guest.skipInstruction(vcpu, length);
      witness.retired();
    },
    readHost(hva, length) {
      const bytes = guest.readHost(hva, length);
      raise({ kind: 'sim:memory_read', hva, bytes });
      return bytes;
    },
    writeHost: (hva, bytes) => guest.writeHost(hva, bytes),
    get eptWords() {
      return guest.eptWords;
    },
    get eptWritten() {
      return guest.eptWritten;
    },
    invalidateEpt: () => guest.invalidateEpt(),
    translate(vcpu, linear) {
      const answer = guest.translate(vcpu, linear);
      const entries = new BigUint64Array(answer?.entries ?? []);
      const mapped = answer !== undefined;
      const bytes = new Uint8Array(entries.buffer);
      raise({ kind: 'sim:translated', vcpu_id: vcpu, linear, mapped, gpa: answer?.gpa ?? 0, entries: bytes });
      return answer;
    },
  };
}

const NO_BYTES = new Uint8Array(0);

function emulatedFact(vcpu: number, emulated: Emulated): MachineEvent {
  const fact = { kind: 'sim:emulated', vcpu_id: vcpu, then: emulated.then, at: 0, size: 0, count: 0 } as const;
  switch (emulated.then) {
    case 'done':
      return { ...fact, bytes: packWrites(emulated.writes) };
    case 'read':
      return { ...fact, at: emulated.gpa, size: emulated.length, bytes: NO_BYTES };
    case 'in':
      return { ...fact, at: emulated.port, size: emulated.size, count: emulated.count, bytes: NO_BYTES };
    case 'out':
      return { ...fact, at: emulated.port, size: emulated.size, bytes: emulated.bytes };
    default:
      return { ...fact, bytes: NO_BYTES };
  }
}

/** Each write as its gpa (8 bytes, little-endian), length (1) and bytes. */
export function packWrites(writes: readonly MmioAccess[]): Uint8Array {
  if (writes.length === 0) return NO_BYTES;
  const packed = new Uint8Array(writes.reduce((sum, { bytes }) => sum + 9 + bytes.length, 0));
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const { gpa, bytes } of writes) {
    view.setBigUint64(at, BigInt(gpa), true);
    packed[at + 8] = bytes.length;
    packed.set(bytes, at + 9);
    at += 9 + bytes.length;
  }
  return packed;
}

/** What `packWrites` packed. */
export function unpackWrites(packed: Uint8Array): MmioAccess[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const writes: MmioAccess[] = [];
  for (let at = 0; at < packed.length; at += 9 + packed[at + 8]) {
    const bytes = packed.slice(at + 9, at + 9 + packed[at + 8]);
    writes.push({ gpa: Number(view.getBigUint64(at, true)), bytes });
  }
  return writes;
}

function emulationExit(vcpu: number, exit: VmExit): MachineEvent {
  return {
    kind: 'sim:emulation_exited',
    vcpu_id: vcpu,
    exit_reason: exit.reason,
    info1: exit.qualification,
    insn_len: exit.instructionLength,
    insn_info: exit.instructionInfo,
    intr_info: exit.interruptionInfo,
    error_code: exit.interruptionErrorCode,
    info2: exit.idtVectoringInfo,
    idt_error_code: exit.idtVectoringErrorCode,
    gla: exit.guestLinearAddress,
    gpa: exit.guestPhysicalAddress,
  };
}

type Raise = Witness['raise'];

/** Registers whose reads are facts. Writes pass: the hypervisor knows what it wrote. */
function witnessedRegisters(registers: Registers, vcpu: number, raise: Raise): Registers {
  const seen = (name: string, value: bigint): bigint => {
    raise({ kind: 'sim:register_read', vcpu_id: vcpu, name, value });
    return value;
  };
  const view: Registers = Object.create(null);
  Object.assign(view, {
    gpr: (index: number) => seen(`gpr${index}`, registers.gpr(index)),
    setGpr: (index: number, value: bigint) => registers.setGpr(index, value),
    segment(index: number) {
      const segment = registers.segment(index);
      raise({ kind: 'sim:segment_read', vcpu_id: vcpu, index, ...segment });
      return segment;
    },
    setSegment: (index, segment) => registers.setSegment(index, segment),
    dr: (index: number) => seen(`dr${index}`, registers.dr(index)),
    setDr: (index: number, value: bigint) => registers.setDr(index, value),
    msr(index: number) {
      const value = registers.msr(index);
      // Which MSRs the processor keeps is fixed: only their values are facts.
      return value === undefined ? undefined : seen(`msr${index.toString(16)}`, value);
    },
    setMsr(index: number, value: bigint) {
      const isKept = registers.setMsr(index, value);
      seen(`set msr${index.toString(16)}`, isKept ? 1n : 0n);
      return isKept;
    },
    xsave() {
      const area = registers.xsave();
      raise({ kind: 'sim:xsave_read', vcpu_id: vcpu, area });
      return area;
    },
    setXsave: (area: Uint8Array) => registers.setXsave(area),
  } satisfies Partial<Registers>);
  for (const name of WORDS) defineWord(view, registers, name, seen);
  for (const name of SMALL) defineSmall(view, registers, name, seen);
  for (const name of TABLES) defineTable(view, registers, name, seen);
  return view;
}

const WORDS = ['rip', 'rflags', 'cr0', 'cr2', 'cr3', 'cr4', 'efer', 'xcr0'] as const;
const SMALL = ['cr8', 'interruptibility', 'activity'] as const;
const TABLES = ['gdtr', 'idtr'] as const;

type Seen = (name: string, value: bigint) => bigint;

function defineWord(view: Registers, registers: Registers, name: (typeof WORDS)[number], seen: Seen): void {
  Object.defineProperty(view, name, {
    get: () => seen(name, registers[name]),
    set: (value: bigint) => {
      registers[name] = value;
    },
  });
}

function defineSmall(view: Registers, registers: Registers, name: (typeof SMALL)[number], seen: Seen): void {
  Object.defineProperty(view, name, {
    get: () => Number(seen(name, BigInt(registers[name]))),
    set: (value: number) => {
      registers[name] = value;
    },
  });
}

function defineTable(view: Registers, registers: Registers, name: (typeof TABLES)[number], seen: Seen): void {
  Object.defineProperty(view, name, {
    get: () => {
      const table = registers[name];
      seen(`${name}.base`, table.base);
      seen(`${name}.limit`, BigInt(table.limit));
      return table;
    },
    set: (table: Registers['gdtr']) => {
      registers[name] = table;
    },
  });
}
