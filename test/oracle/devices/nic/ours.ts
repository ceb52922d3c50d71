/** Our machine, as scripts see it. */
import type { MachineEvent } from '../../../../src/events/vocabulary.ts';
import { type Bench, bench } from '../../../vmm/bench.ts';
import { bytesOf, numberOf } from '../virtio/guest.ts';
import { MAC, type Machine, type Scene, type Station } from './station.ts';

const NETDEV = 'n0';
const MS = 1_000_000;

/** A port of a hub without others: what is sent to it waits, and nobody answers. */
export function ourMachine<S extends Station>(driver: string, { properties = {} }: Scene<S>): Machine {
  const nic = `${driver}.0`;
  const mac = MAC.map((octet) => octet.toString(16).padStart(2, '0')).join(':');
  const machine: Bench = bench({
    devices: [{ driver, properties: { mac, netdev: NETDEV, ...properties } }],
    netdevs: [{ type: 'hubport', id: NETDEV, hub: 0, properties: {} }],
  });
  const seen = { events: 0, ns: 0 };
  const wire = new Wire(() => machine.state.vmm.net!.clients[nic]!.queue.map(({ packet }) => packet));
  const pass = (ns: number): void => {
    machine.passTo((seen.ns += ns));
    for (let chunk = wire.read(); chunk.length > 0; chunk = wire.read()) {
      for (const frame of chunk) machine.sendPacket(NETDEV, frame);
      machine.passTo((seen.ns += 1));
    }
  };
  return {
    in: async (port, size) => machine.in(port, size),
    out: async (port, size, value) => machine.out(port, size, value),
    read: async (gpa, size) => numberOf(machine.read(gpa, size)),
    write: async (gpa, size, value) => machine.store(gpa, bytesOf(value, size)),
    peek: async (gpa, length) =>
      Uint8Array.from(inPieces(length).flatMap(([at, size]) => [...machine.read(gpa + at, size)])),
    async poke(gpa, bytes) {
      for (const [at, size] of inPieces(bytes.length)) machine.store(gpa + at, bytes.subarray(at, at + size));
    },
    reset: async () => machine.out(0xcf9, 1, 6),
    async offer(frame) {
      wire.offered.push(frame);
      pass(0);
    },
    frames: async () => framesOf(machine.events.slice(seen.events, (seen.events = machine.events.length)), nic),
    pass: async (ms) => pass(ms * MS),
    link: async (up) => machine.setLink(nic, up),
    async announce(rounds, interfaces) {
      machine.announce(rounds, interfaces);
      for (let round = 0; round < 10; round++) pass(100 * MS);
    },
  };
}

/** What a client put on its wire: without a cable that is nothing. */
export function framesOf(events: readonly MachineEvent[], client: string): Uint8Array[] {
  const lost = events.flatMap((event) =>
    event.kind === 'sim:packet_dropped' && event.client === client && event.why === 'link down' ? [event.packet] : [],
  );
  return events.flatMap((event) =>
    event.kind === 'sim:packet_sent' && event.client === client && !lost.includes(event.packet) ? [event.bytes] : [],
  );
}

/** An access of a processor has at most eight bytes. */
const inPieces = (length: number): [at: number, size: number][] =>
  Array.from({ length: Math.ceil(length / 8) }, (_, piece) => [8 * piece, Math.min(8, length - 8 * piece)]);

/** Bytes that QEMU's backend reads at a time, and those before each frame. */
const CHUNK = 69_632;
const LENGTH_BYTES = 4;

/** As QEMU's backend has it: it reads no further while a frame waits, until one that waited is taken. */
class Wire {
  readonly offered: Uint8Array[] = [];
  readonly #waiting: () => readonly number[];
  #seen: readonly number[] = [];

  constructor(waiting: () => readonly number[]) {
    this.#waiting = waiting;
  }

  /** What it reads now, at once. */
  read(): readonly Uint8Array[] {
    const waiting = this.#waiting();
    const reads = waiting.length === 0 || this.#seen.some((packet) => !waiting.includes(packet));
    this.#seen = waiting;
    if (!reads) return [];
    let left = CHUNK;
    const beyond = this.offered.findIndex(({ length }) => (left -= length + LENGTH_BYTES) < 0);
    return this.offered.splice(0, beyond < 0 ? this.offered.length : Math.max(1, beyond));
  }
}
