/**
 * Records what the scripts of `scenes.ts` see of a real QEMU 7.2, for virtio.test.ts:
 * `TMPDIR=/dev/shm npx tsx test/oracle/devices/virtio/record.ts [NAME]` writes ../recorded/virtio/*.txt.
 * Needs qemu-system-x86_64.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { QtestPort } from '../qtest.ts';
import { recordScenes } from '../transcripts.ts';
import { type Guest, hex, type Scene } from './guest.ts';
import { diskByte, hasDrive, isNic, NETDEV, SCENES, SECTORS, SERIAL, titleOf } from './scenes.ts';

/** Milliseconds in which QEMU's threads do what is to be done. */
const SETTLED = 80;
const RESET = 500;
const ANNOUNCED = 1000;
const HLT = 0xf4;
const LOCALHOST = '127.0.0.1';
/** As QEMU calls a network card without an id. */
const NIC = 'virtio-net-pci.0';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-virtio-'));
const DISK = join(folder, 'disk.raw');
const BIOS = join(folder, 'hlt.bin');

writeFileSync(
  DISK,
  Uint8Array.from({ length: SECTORS * 512 }, (_, at) => diskByte(at)),
);
writeFileSync(BIOS, new Uint8Array(0x1_0000).fill(HLT));

/** A socket that is the other end of the wire: QEMU's dgram backend sends each frame as a datagram. */
interface Wire {
  readonly port: number;
  send(frame: Uint8Array): void;
  take(): readonly Uint8Array[];
  end(): void;
}

async function wire(): Promise<Wire> {
  const socket = createSocket('udp4');
  const frames: Uint8Array[] = [];
  socket.on('message', (frame) => void frames.push(Uint8Array.from(frame)));
  await new Promise<void>((bound) => socket.bind(0, LOCALHOST, bound));
  const { port } = socket.address();
  return {
    port,
    send: (frame) => socket.send(frame, port + 1, LOCALHOST),
    take: () => frames.splice(0),
    end: () => void socket.close(),
  };
}

function netdev({ port }: Wire): string {
  const end = (name: string, at: number): string => `,${name}.type=inet,${name}.host=${LOCALHOST},${name}.port=${at}`;
  return `dgram,id=${NETDEV}${end('local', port + 1)}${end('remote', port)}`;
}

function qemu({ driver, properties }: Scene, end: Wire, monitor: string): QtestPort {
  const settings = Object.entries(properties).map(([key, value]) => `,${key}=${onOff(value)}`);
  const drive = `if=none,id=d0,file=${DISK},format=raw,snapshot=on`;
  return new QtestPort([
    ...['-M', 'pc,accel=tcg', '-nodefaults', '-m', '64', '-bios', BIOS, '-drive', drive],
    ...['-monitor', `unix:${monitor},server=on,wait=off`],
    ...(isNic(driver) ? ['-netdev', netdev(end)] : []),
    ...['-device', `${driver}${partner(driver)}${settings.join('')}`],
  ]);
}

/** What a device is for. */
function partner(driver: string): string {
  if (hasDrive(driver)) return `,drive=d0,serial=${SERIAL}`;
  return isNic(driver) ? `,netdev=${NETDEV}` : '';
}

const onOff = (value: unknown): unknown => (value === true ? 'on' : value === false ? 'off' : value);

/** A processor that halts at once is one that time passes for. */
function guestOn(port: QtestPort, monitor: Socket, end: Wire): Guest {
  return {
    in: (at, size) => port.in(at, size),
    out: (at, size, value) => port.out(at, size, value),
    read: (gpa, size) => port.read(gpa, size),
    write: (gpa, size, value) => port.write(gpa, size, value),
    async peek(gpa, length) {
      const answer = await port.ask(`read ${gpa} ${length}`);
      return Uint8Array.from(Buffer.from(answer.slice('OK 0x'.length), 'hex'));
    },
    async poke(gpa, bytes) {
      const text = [...bytes].map((byte) => hex(byte, 2)).join('');
      await port.ask(`write ${gpa} ${bytes.length} 0x${text}`);
    },
    settle: () => setTimeout(SETTLED),
    async resize(sectors) {
      monitor.write(`block_resize d0 ${sectors * 512}b\n`);
      await setTimeout(SETTLED);
    },
    async reset() {
      await port.out(0xcf9, 1, 6);
      await setTimeout(RESET);
    },
    async send(frame) {
      end.send(frame);
      await setTimeout(SETTLED);
    },
    wire: async () => end.take(),
    async link(up) {
      monitor.write(`set_link ${NIC} ${up ? 'on' : 'off'}\n`);
      await setTimeout(SETTLED);
    },
    async announce(rounds) {
      monitor.write(`migrate_set_parameter announce-rounds ${rounds}\nannounce_self\n`);
      await setTimeout(ANNOUNCED);
    },
    said: () => port.said(),
  };
}

async function transcript(scene: Scene): Promise<string[]> {
  const end = await wire();
  // One that ends takes its own away.
  const place = join(mkdtempSync(join(folder, 'scene-')), 'monitor');
  const port = qemu(scene, end, place);
  const lines = [titleOf(scene)];
  // Once it answers, its monitor listens.
  await port.in(0x80, 1);
  const monitor = connect(place).resume();
  await scene.script(guestOn(port, monitor, end), (line) => void lines.push(line.trimEnd()));
  monitor.destroy();
  port.end();
  end.end();
  return lines;
}

await recordScenes('virtio', SCENES, transcript);
rmSync(folder, { recursive: true });
