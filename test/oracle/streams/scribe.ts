import { Decoder, DecoderOptions, FlowControl } from 'iced-x86';
import { bytesAt, linearIp, modeName, type SteppedMachine } from '../stepped-machine.ts';
import type { Interned } from './align.ts';

/** One instruction as a recording names it. */
interface Written {
  readonly id: number;
  readonly repeats: boolean;
  readonly rip: bigint;
  readonly length: number;
  /** Goes on to the next instruction unless it faults. */
  readonly isStraight: boolean;
}

/** Our stream, and which of its instructions an interrupt led to. */
export interface OurStream {
  readonly ids: Int32Array;
  readonly handlers: ReadonlySet<number>;
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, '0');

/** Writes down one instruction as the recording does: `CSBASE:RIP:BYTES (MODE)`. */
class Scribe {
  readonly #stepped: SteppedMachine;
  readonly #table: Interned;
  readonly #known = new Map<string, Written & { readonly bytes: Uint8Array }>();

  constructor(stepped: SteppedMachine, table: Interned) {
    this.#stepped = stepped;
    this.#table = table;
  }

  /** The instruction at CS:RIP. */
  next(): Written {
    const { registers } = this.#stepped;
    return this.#at(registers.segment(CS).base, registers.rip, linearIp(registers));
  }

  /** The first instruction of an interrupt's handler. SDM Vol. 3A, 6.11 and 20.1.4. */
  handler(vector: number): Written {
    const { registers } = this.#stepped;
    const mode = modeName(registers);
    const size = mode === 'real' ? 4 : mode === 'prot64' ? 16 : 8;
    const gate = new DataView(new ArrayBuffer(16));
    bytesAt(this.#stepped, registers.idtr.base + BigInt(vector * size)).forEach((byte, i) => gate.setUint8(i, byte));
    if (mode === 'real') {
      const base = BigInt(gate.getUint16(2, true) * 16);
      const rip = BigInt(gate.getUint16(0, true));
      return this.#at(base, rip, base + rip);
    }
    const low = gate.getUint16(0, true) + gate.getUint16(6, true) * 0x10000;
    const rip = BigInt(low) + (mode === 'prot64' ? BigInt(gate.getUint32(8, true)) << 32n : 0n);
    const { base } = registers.segment(CS);
    return this.#at(base, rip, base + rip);
  }

  /** The handler whose first instruction has just run, after an instruction that could only fault to get here. */
  faulted(written: Written): Written | undefined {
    const { rip } = this.#stepped.registers;
    if (!written.isStraight || rip === written.rip || rip === written.rip + BigInt(written.length)) return undefined;
    for (let vector = 0; vector < EXCEPTIONS; vector++) {
      const first = this.handler(vector);
      if (first.rip + BigInt(first.length) === rip) return first;
    }
    return undefined;
  }

  #at(base: bigint, rip: bigint, linear: bigint): Written {
    const mode = modeName(this.#stepped.registers);
    const place = `${(mode === 'prot64' ? 0n : base).toString(16)}:${rip.toString(16)}`;
    const bytes = bytesAt(this.#stepped, linear);
    const key = place + mode;
    const known = this.#known.get(key);
    if (known?.bytes.every((byte, i) => byte === bytes[i])) return known;
    const decoder = new Decoder(mode === 'prot64' ? 64 : mode === 'prot32' ? 32 : 16, bytes, DecoderOptions.None);
    const instruction = decoder.decode();
    const own = bytes.slice(0, instruction.length);
    const repeats = instruction.hasRepPrefix || instruction.hasRepnePrefix;
    const isStraight = instruction.flowControl === FlowControl.Next;
    const id = this.#table.id(`${place}:${Array.from(own, hexByte).join(' ')} (${mode})`);
    instruction.free();
    decoder.free();
    const entry = { bytes: own, id, repeats, rip, length: own.length, isStraight };
    this.#known.set(key, entry);
    return entry;
  }
}

/** Run `limit` instructions of ours and write each down once, iterations of a REP as one. */
export function ourInstructions(stepped: SteppedMachine, table: Interned, limit: number): OurStream {
  const ids = new Int32Array(limit);
  const handlers = new Set<number>();
  const scribe = new Scribe(stepped, table);
  const { machine, events } = stepped;
  let count = 0;
  let last = -1;
  while (count < limit) {
    let written: Written | undefined = scribe.next();
    events.length = 0;
    const reason = machine.advance({ tick: machine.ticks + 1 });
    if (reason.why !== 'until') break;
    let fault = scribe.faulted(written);
    for (const { event } of events) {
      if (event.kind === 'kvm_inj_exception') fault = scribe.handler(event.exception);
      if (event.kind !== 'kvm_inj_virq') continue;
      const handler = scribe.handler(event.vector);
      handlers.add(handler.id);
      fault = undefined;
      // Delivered, and the run cut before the handler began: it is next.
      written = stepped.registers.rip === handler.rip ? undefined : handler;
    }
    if (written === undefined) continue;
    if (!(written.repeats && written.id === last)) ids[count++] = written.id;
    if (fault !== undefined && count < limit) ids[count++] = fault.id;
    last = (fault ?? written).id;
  }
  return { ids: ids.slice(0, count), handlers };
}

const CS = 1;
const EXCEPTIONS = 32;
