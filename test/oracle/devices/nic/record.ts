/** Records what scripts see of a network card of a real QEMU 7.2. Needs qemu-system-x86_64. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { QtestPort } from '../qtest.ts';
import { hex } from '../virtio/guest.ts';
import { recordScenes } from '../transcripts.ts';
import { type Card, MAC, type Machine, type Scene, type Station, titleOf } from './station.ts';

/** Milliseconds in which QEMU's threads do what is to be done. */
const SETTLED = 30;
const RESET = 500;
const ANNOUNCED = 1000;
const HLT = 0xf4;

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-nic-'));
const BIOS = join(folder, 'hlt.bin');

/** Where a scene's QEMU listens and writes: one that ends takes its own away. */
class Places {
  readonly monitor: string;
  readonly wire: string;
  readonly dump: string;

  constructor() {
    const own = mkdtempSync(join(folder, 'scene-'));
    [this.monitor, this.wire, this.dump] = [join(own, 'monitor'), join(own, 'wire'), join(own, 'dump.pcap')];
  }
}

/** Bytes of a dump's header and of one record's, and where in that the length is. */
const PCAP = { header: 24, record: 16, length: 8 } as const;

writeFileSync(BIOS, new Uint8Array(0x1_0000).fill(HLT));

/** The other end of the wire: a length in four bytes, big-endian, before each frame. */
class Wire {
  /** QEMU is there. */
  readonly connected: Promise<void>;
  readonly #server: Server;
  #socket: Socket | undefined;

  constructor() {
    let connect: () => void;
    this.connected = new Promise((resolve) => void (connect = resolve));
    this.#server = createServer((socket) => {
      this.#socket = socket;
      connect();
      socket.resume();
      socket.on('error', () => undefined);
    });
  }

  async listen(path: string): Promise<void> {
    await new Promise<void>((resolve) => void this.#server.listen(path, resolve));
  }

  send(frame: Uint8Array): void {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(frame.length);
    this.#socket!.write(Buffer.concat([length, frame]));
  }

  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }
}

/** What QEMU dumps of the wire as it is sent: a frame of no bytes at all stops its backend. */
class Dump {
  readonly #path: string;
  #at: number = PCAP.header;

  constructor(path: string) {
    this.#path = path;
  }

  /** Frames from the controller since this was asked last. */
  take(): Uint8Array[] {
    const bytes = readFileSync(this.#path);
    const frames: Uint8Array[] = [];
    while (this.#at + PCAP.record <= bytes.length) {
      const begin = this.#at + PCAP.record;
      const end = begin + bytes.readUInt32LE(this.#at + PCAP.length);
      if (end > bytes.length) break;
      frames.push(new Uint8Array(bytes.subarray(begin, end)));
      this.#at = end;
    }
    return frames;
  }
}

const onOff = (value: unknown): unknown => (value === true ? 'on' : value === false ? 'off' : value);

function qemu<S extends Station>(
  driver: string,
  { properties = {}, isStill = false }: Scene<S>,
  places: Places,
): QtestPort {
  const settings = Object.entries(properties).map(([key, value]) => `,${key}=${onOff(value)}`);
  const mac = MAC.map((octet) => hex(octet, 2)).join(':');
  return new QtestPort([
    ...['-M', 'pc,accel=tcg', '-nodefaults', '-m', '64', '-bios', BIOS, ...(isStill ? ['-S'] : [])],
    ...['-monitor', `unix:${places.monitor},server=on,wait=off`],
    ...['-netdev', `stream,id=n0,server=off,addr.type=unix,addr.path=${places.wire}`],
    ...['-object', `filter-dump,id=dump,netdev=n0,queue=rx,file=${places.dump}`],
    ...['-device', `${driver},mac=${mac},netdev=n0,romfile=${settings.join('')}`],
  ]);
}

/** A processor that halts at once is one that time passes for. */
const machineOn = (driver: string, port: QtestPort, monitor: Socket, wire: Wire, dump: Dump): Machine => ({
  in: (at, size) => port.in(at, size),
  out: (at, size, value) => port.out(at, size, value),
  read: (gpa, size) => port.read(gpa, size),
  write: (gpa, size, value) => port.write(gpa, size, value),
  async peek(gpa, length) {
    if (length === 0) return new Uint8Array(0);
    const answer = await port.ask(`read ${gpa} ${length}`);
    return Uint8Array.from(Buffer.from(answer.slice('OK 0x'.length), 'hex'));
  },
  async poke(gpa, bytes) {
    if (bytes.length > 0) await port.ask(`write ${gpa} ${bytes.length} 0x${Buffer.from(bytes).toString('hex')}`);
  },
  async reset() {
    await port.out(0xcf9, 1, 6);
    await setTimeout(RESET);
  },
  async offer(frame) {
    wire.send(frame);
    await setTimeout(SETTLED);
  },
  async frames() {
    await setTimeout(SETTLED);
    return dump.take();
  },
  pass: (ms) => setTimeout(ms + SETTLED),
  async link(up) {
    monitor.write(`set_link ${driver}.0 ${up ? 'on' : 'off'}\n`);
    await setTimeout(SETTLED);
  },
  async announce(rounds, interfaces = '') {
    monitor.write(`migrate_set_parameter announce-rounds ${rounds}\nannounce_self ${interfaces}\n`);
    await setTimeout(ANNOUNCED);
  },
});

async function transcript<S extends Station>({ driver, station }: Card<S>, scene: Scene<S>): Promise<string[]> {
  const places = new Places();
  const wire = new Wire();
  await wire.listen(places.wire);
  const port = qemu(driver, scene, places);
  const lines = [titleOf(scene)];
  // Once it answers, its monitor listens.
  await port.in(0x80, 1);
  await wire.connected;
  await setTimeout(SETTLED);
  const monitor = connect(places.monitor).resume();
  await scene.script(
    station(machineOn(driver, port, monitor, wire, new Dump(places.dump))),
    (line) => void lines.push(line.trimEnd()),
  );
  monitor.destroy();
  port.end();
  wire.close();
  return lines;
}

/** All scenes of a card, or those of the files the command line names. */
export async function record<S extends Station>(card: Card<S>): Promise<never> {
  await recordScenes(card.driver, card.scenes, (scene) => transcript(card, scene));
  rmSync(folder, { recursive: true });
  process.exit(0);
}
