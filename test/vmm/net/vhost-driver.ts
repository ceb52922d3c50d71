/** A driver of a card whose rings the kernel serves. */
import type { PropertyValue } from '../../../src/devices/properties.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { USUAL_BRIDGE } from '../../../src/vmm/pc/bridge-parts.ts';
import { type Bench, bench } from '../bench.ts';

export const TABLE = 0xe200_0000;
export const BAR = 0xe300_0000;
/** Registers of the common structure. Virtio 1.1, 4.1.4.3. */
export const COMMON = {
  select: 8,
  feature: 12,
  status: 20,
  queue: 22,
  vector: 26,
  enable: 28,
  desc: 32,
  avail: 40,
  used: 48,
};
export const NOTIFY = BAR + 0x3000;
export const SIZE = 256;
/** Where the driver has its rings, two for each of two queues and one for commands, and its buffers. */
export const RINGS = [0x1_0000, 0x2_0000, 0x3_0000, 0x4_0000, 0x5_0000] as const;
export const PARTS = { desc: 0, avail: 0x4000, used: 0x8000 } as const;
export const BUFFERS = 0x10_0000;
const COMMAND = 0x9_0000;
export const HEADER = 12;
export const [MERGEABLE, EVENT_IDX, MULTI_QUEUE] = [1 << 15, 1 << 29, 2 ** 22 + 2 ** 17];

const littleEndian = (value: number, size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, at) => Math.floor(value / 2 ** (8 * at)) & 0xff);

/** A driver of a card on a tap whose rings the kernel serves, played by a test. */
export class Driver {
  readonly machine: Bench;
  private readonly added = RINGS.map(() => 0);
  private rings: readonly number[];

  constructor(properties: Readonly<Record<string, PropertyValue>> = {}) {
    const mq = (properties['queues'] ?? 1) !== 1;
    this.rings = mq ? RINGS : RINGS.slice(0, 2);
    this.machine = bench({
      netdevs: [
        { type: 'pcap', id: 'p', properties: {} },
        { type: 'tap', id: 't', properties: { script: 'no', vhost: true, ...properties } },
      ],
      bridges: [{ ...USUAL_BRIDGE, name: 'br0', ports: ['p', 't'] }],
      devices: [{ driver: 'virtio-net-pci', properties: { netdev: 't', mac: '52:54:00:00:00:0a', mq } }],
    });
    this.config(0x14, 4, TABLE);
    this.config(0x20, 4, BAR);
    this.config(0x04, 2, 6);
  }

  config(register: number, size: number, value: number): void {
    this.machine.out(0xcf8, 4, 0x8000_1000 + (register & 0xfc));
    this.machine.out(0xcfc + (register & 3), size, value);
  }

  private configByte(register: number): number {
    this.machine.out(0xcf8, 4, 0x8000_1000 + (register & 0xfc));
    return this.machine.in(0xcfc + (register & 3), 1);
  }

  private get msix(): number {
    let at = this.configByte(0x34);
    while (this.configByte(at) !== 0x11) at = this.configByte(at + 1);
    return at;
  }

  put(gpa: number, value: number, size: number): void {
    this.machine.store(gpa, littleEndian(value, size));
  }

  read16(gpa: number): number {
    const [low = 0, high = 0] = this.machine.read(gpa, 2);
    return low | (high << 8);
  }

  /** Bring it up to DRIVER_OK. rings: where they lie. */
  start({ features = MERGEABLE + EVENT_IDX, rings = this.rings, hasMsix = true } = {}): this {
    this.rings = rings;
    if (hasMsix) {
      for (let vector = 0; vector <= rings.length + 1; vector += 1) {
        for (const [at, word] of [0xfee0_0000, 0, 0x50 + vector, 0].entries())
          this.put(TABLE + 16 * vector + 4 * at, word, 4);
      }
      this.config(this.msix + 2, 2, 0x8000);
    }
    for (const status of [1, 3]) this.put(BAR + COMMON.status, status, 1);
    for (const [word, value] of [features, 1].entries()) {
      this.put(BAR + COMMON.select, word, 4);
      this.put(BAR + COMMON.feature, value, 4);
    }
    this.put(BAR + COMMON.status, 0xb, 1);
    for (const [queue, ring] of rings.entries()) {
      this.put(BAR + COMMON.queue, queue, 2);
      this.put(BAR + COMMON.vector, queue + 1, 2);
      for (const part of ['desc', 'avail', 'used'] as const) {
        this.put(BAR + COMMON[part], ring + PARTS[part], 4);
        this.put(BAR + COMMON[part] + 4, 0, 4);
      }
      this.put(BAR + COMMON.enable, 1, 2);
    }
    this.put(BAR + COMMON.status, 0xf, 1);
    return this;
  }

  /** Put a chain of one buffer into a ring. */
  add(queue: number, gpa: number, length: number): void {
    const ring = this.rings[queue]!;
    const at = this.added[queue]!++;
    const desc = ring + 16 * (at % SIZE);
    this.put(desc, gpa, 8);
    this.put(desc + 8, length, 4);
    this.put(desc + 12, queue % 2 === 0 ? 2 : 0, 2);
    this.put(ring + PARTS.avail + 4 + 2 * (at % SIZE), at % SIZE, 2);
    this.put(ring + PARTS.avail + 2, at + 1, 2);
  }

  /** A frame to be sent, with a header of zeroes. */
  send(byte: number, ring = 1): void {
    const gpa = BUFFERS + 0x1000 * (this.added[ring]! % SIZE);
    for (const [at, value] of [0xff, 0xff, 0xff, 0xff].entries())
      this.put(gpa + HEADER + 4 * at, value * 0x0101_0101, 4);
    this.put(gpa + HEADER + 20, byte, 1);
    this.add(ring, gpa, HEADER + 60);
  }

  /** How many pairs of queues there are to be: VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET. */
  usePairs(pairs: number): void {
    const ring = RINGS[4];
    const at = this.added[4]!++;
    for (const [place, byte] of [4, 0, pairs, 0].entries()) this.put(COMMAND + place, byte, 1);
    for (const [place, { gpa, length, flags, next }] of [
      { gpa: COMMAND, length: 4, flags: 1, next: 1 },
      { gpa: COMMAND + 8, length: 1, flags: 2, next: 0 },
    ].entries()) {
      const desc = ring + 16 * place;
      for (const [field, value, size] of [
        [0, gpa, 4],
        [8, length, 4],
        [12, flags, 2],
        [14, next, 2],
      ] as const)
        this.put(desc + field, value, size);
    }
    this.put(ring + PARTS.avail + 4 + 2 * at, 0, 2);
    this.put(ring + PARTS.avail + 2, at + 1, 2);
    this.put(NOTIFY + 16, 4, 2);
  }

  usedIndex = (queue: number): number => this.read16(this.rings[queue]! + PARTS.used + 2);

  get vring() {
    return this.vringsOf('t');
  }

  vringsOf = (client: string) => this.machine.state.vmm.net!.vhosts![client]!.vrings;

  /** The worker finds a notification. */
  serve = (queue: number, client = 't'): string[] => this.machine.serve({ fd: this.vringsOf(client)[queue]!.kick });

  /** Signals of one eventfd. */
  signals = (fd: number): number => this.machine.signals.filter((each) => each === fd).length;

  ofKind = <K extends MachineEvent['kind']>(kind: K) =>
    this.machine.events.filter((event): event is Extract<MachineEvent, { readonly kind: K }> => event.kind === kind);

  asked = (): string[] =>
    this.ofKind('sim:vhost_ioctl').map(
      ({ cmd, queue }) => `${cmd.replace('VHOST_', '')}${queue < 0 ? '' : ` ${queue}`}`,
    );
}
