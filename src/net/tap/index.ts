/** A tap: QEMU's net client (7.2: net/tap.c) and the kernel's interface behind it (Linux 6.1: drivers/net/tun.c). */
import { Problem } from '../../base/problem.ts';
import type { Device, Effects, Packet } from '../../devices/device.ts';
import type { Driver } from '../../devices/driver.ts';
import { bool, MOST_PAIRS, type PropertiesOf, size, text, uint32 } from '../../devices/properties.ts';
import { ETHERNET_HEADER } from '../../packets/ethernet.ts';
import {
  finishedSegments,
  GSO,
  hasBadHeader,
  headerLength,
  headerOf,
  type Offload,
  OFFLOAD_HEADER,
  offloadOf,
  segmentsOf,
  withChecksum,
} from '../../packets/offload.ts';
import { padded } from '../padded.ts';
import { LOSS, TAP_REDUCER } from './evolve.ts';
import { IFF, OFFLOAD, QUEUE_LENGTH, type TapOptions, tapAtReset, type TapSetup, type TapState } from './state.ts';
import { heard, steered } from './steer.ts';

export type { TapSetup, TapState } from './state.ts';

/** Packets the main loop reads before others have their turn. */
const MOST_READ = 50;
/** What QEMU says for a buffer that has no end. */
const INT_MAX = 0x7fff_ffff;
const SCRIPTS = { up: '/etc/qemu-ifup', down: '/etc/qemu-ifdown' } as const;
const HELPER = '/usr/lib/qemu/qemu-bridge-helper';

const ask = (effects: Effects, client: string, cmd: string, arg: number): void =>
  effects.raise({ kind: 'sim:tap_ioctl', client, cmd, arg });

/** A file descriptor for each queue; the first one's script is run. net_init_tap. */
function powerOn(setup: TapSetup, effects: Effects): void {
  const { clients, vnet_hdr: hasHeaders, interface: ifname, bridge } = setup;
  const flags = IFF.tap | IFF.noPi | IFF.oneQueue | (hasHeaders ? IFF.vnetHdr : 0);
  const path = setup.helper === '' ? setup.script : setup.helper;
  for (const [queue, client] of clients.entries()) {
    ask(effects, client, 'TUNSETIFF', flags | (clients.length > 1 ? IFF.multiQueue : 0));
    if (queue === 0 && path !== 'no' && path !== '') {
      effects.raise({ kind: 'sim:script_run', client, path, ifname, bridge });
    }
    ask(effects, client, 'TUNSETOFFLOAD', 0);
    if (hasHeaders) ask(effects, client, 'TUNSETVNETHDRSZ', OFFLOAD_HEADER);
    ask(effects, client, 'TUNSETSNDBUF', setup.sndbuf === 0 ? INT_MAX : setup.sndbuf);
    effects.openVhost(queue);
  }
}

/** QEMU writes a packet to the file descriptor: the interface has received it. tun_get_user. */
function receive({ carried }: TapSetup, state: TapState, packet: Packet, effects: Effects): true {
  const why = flawOf(packet);
  effects.commit();
  if (why !== undefined) {
    effects.dropPacket(packet, why);
    return true;
  }
  if (carried) effects.raise({ kind: 'sim:frame_left', dev: effects.name, packet: packet.number });
  else effects.intoKernel(packet);
  heard(state, packet.at, packet.bytes, effects);
  return true;
}

/** Why the kernel does not take a packet; undefined: it does. */
function flawOf({ bytes, header }: Packet): string | undefined {
  if (bytes.length < ETHERNET_HEADER) return LOSS.short;
  return hasBadHeader(bytes, header) ? LOSS.header : undefined;
}

/** The bridge that is elsewhere has sent a packet to the interface. */
function arrive(
  setup: TapSetup,
  state: TapState,
  { bytes, header }: Pick<Packet, 'bytes' | 'header'>,
  effects: Effects,
): void {
  const packet = effects.newPacket({ bytes, header });
  const why = flawOf(packet);
  if (why === undefined) transmit(setup, state, packet, effects);
  else effects.dropPacket(packet, why);
}

/**
 * The kernel sends a packet: it waits for the reader of a queue, and what that cannot do is done first. tun_net_xmit.
 */
function transmit({ clients }: TapSetup, state: TapState, packet: Packet, effects: Effects): void {
  const offload = offloadOf(packet.header);
  const to = clients.indexOf(steered(state, packet.bytes, effects));
  const wait: Wait = (waiting) => queue(clients[to]!, to, waiting, effects);
  if (offload === undefined) wait({ packet });
  else if (offload.kind !== GSO.none && !takesSegments(state.offloads, offload.kind))
    cut(state, packet, { offload, wait }, effects);
  else if (takesChecksums(state)) wait({ packet, header: headerFor(packet.bytes, offload) });
  else wait({ packet, bytes: withChecksum(packet.bytes, offload) });
}

/** A packet as its reader is to find it. bytes: where they are not its own. */
interface Waiting {
  readonly packet: Packet;
  readonly header?: Uint8Array | undefined;
  readonly bytes?: Uint8Array;
}

type Wait = (waiting: Waiting) => void;

const takesChecksums = ({ offloads }: TapState): boolean => (offloads & OFFLOAD.checksum) !== 0;

const headerFor = (bytes: Uint8Array, offload: Offload): Uint8Array => headerOf(offload, headerLength(bytes, offload));

function takesSegments(offloads: number, kind: number): boolean {
  const wanted = (kind & ~GSO.ecn) === GSO.tcp4 ? OFFLOAD.tso4 : OFFLOAD.tso6;
  const needed = OFFLOAD.checksum | wanted | ((kind & GSO.ecn) === 0 ? 0 : OFFLOAD.ecn);
  return (offloads & needed) === needed;
}

interface Cut {
  readonly offload: Offload;
  readonly wait: Wait;
}

function cut(state: TapState, packet: Packet, { offload, wait }: Cut, effects: Effects): void {
  const finishes = !takesChecksums(state);
  const pieces = (finishes ? finishedSegments : segmentsOf)(packet.bytes, offload);
  effects.raise({ kind: 'sim:packet_cut', client: packet.at, packet: packet.number, pieces: pieces.length });
  for (const bytes of pieces) {
    const header = finishes ? undefined : headerFor(bytes, { ...offload, kind: GSO.none });
    const piece = effects.newPacket({ bytes, header });
    wait({ packet: piece, header });
  }
}

const NOTHING = new Uint8Array(0);

function queue(client: string, place: number, { packet, header, bytes }: Waiting, effects: Effects): void {
  if (effects.framesWaiting(place) >= QUEUE_LENGTH) {
    effects.dropPacket(packet, LOSS.full);
    return;
  }
  effects.raise({
    ...({ kind: 'sim:tap_queued', client, packet: packet.number, len: (bytes ?? packet.bytes).length } as const),
    ...{ header: header ?? NOTHING, bytes: bytes ?? NOTHING },
  });
}

/** The main loop has found that there is something to be read. tap_send. */
function readable(client: string, queue: number, effects: Effects): number {
  for (let packets = 0; packets < MOST_READ; packets += 1) {
    const packet = effects.nextFrame(queue);
    if (packet === undefined) return packets;
    effects.raise({ kind: 'sim:tap_read', client, packet: packet.number, len: packet.bytes.length });
    if (effects.passPacket({ ...packet, bytes: padded(packet.bytes, effects) })) continue;
    effects.raise({ kind: 'sim:tap_poll', client, on: false });
    return packets + 1;
  }
  return MOST_READ;
}

function tap(setup: TapSetup): Device<TapState> {
  const { clients } = setup;
  return {
    model: 'tap',
    regions: [],
    pins: [],
    read: () => 0,
    powerOn: (_state, effects) => powerOn(setup, effects),
    takesHeaders: setup.vnet_hdr,
    receivePacket: (state, packet, effects) => receive(setup, state, packet, effects),
    transmit: (state, packet, effects) => transmit(setup, state, packet, effects),
    receive(state, effects, input) {
      if (input.kind === 'sim:packet_received') arrive(setup, state, input, effects);
    },
    readable: (_state, effects, queue) => readable(clients[queue]!, queue, effects),
    packetSent: (_state, effects, queue) => effects.raise({ kind: 'sim:tap_poll', client: clients[queue]!, on: true }),
    offloadsSet(state, flags, headerBytes, effects) {
      if (!setup.vnet_hdr) return;
      const isLonger = headerBytes !== state.headerBytes;
      for (const client of isLonger ? clients : []) ask(effects, client, 'TUNSETVNETHDRSZ', headerBytes);
      if (flags !== state.offloads) ask(effects, clients[0]!, 'TUNSETOFFLOAD', flags);
    },
    queueSet({ attached }, queue, on, effects) {
      const client = clients[queue]!;
      if (attached.includes(client) !== on) ask(effects, client, 'TUNSETQUEUE', on ? IFF.attach : IFF.detach);
    },
    describe: ({ attached, rx, tx }) => ({
      ifname: setup.interface,
      bridge: setup.bridge === '' ? 'none' : setup.bridge,
      queues: `${attached.length}`,
      received: `${rx.packets} packets, ${rx.bytes} bytes, ${rx.errors} wrong`,
      sent: `${tx.packets} packets, ${tx.bytes} bytes, ${tx.dropped} lost`,
    }),
  };
}

const CARRIED = bool(false, 'The bridge is elsewhere: whoever runs the machine carries packets there');

const PROPERTIES: PropertiesOf<TapOptions> = {
  ifname: text('', 'The interface: the next free of tap0, tap1...'),
  br: text('', 'The bridge it becomes a port of: br0'),
  script: text(SCRIPTS.up, 'What makes it one; no: nobody does'),
  downscript: text(SCRIPTS.down, 'What is run at the end; nothing is here'),
  helper: text('', 'What makes it one instead'),
  vnet_hdr: bool(true, 'Packets may leave checksums and segments to whoever takes them'),
  sndbuf: size(0, 'Bytes of packets the kernel takes before it has sent some; 0: no end', [0, INT_MAX]),
  queues: uint32(1, 'Pairs of queues, for a card with mq=on', [1, MOST_PAIRS]),
  fds: text('', 'Refused: fd=N alone takes one that is open'),
  vhost: bool(false, 'The kernel serves the rings of a virtio card'),
  vhostfd: text('', 'Refused: the modelled kernel opens its own'),
  vhostfds: text('', 'Refused as well'),
  vhostforce: bool(false, 'The same as vhost, unless that says no'),
  'poll-us': uint32(0, 'Of no effect: 0, where there is vhost'),
  carried: CARRIED,
};

/** Nothing is said that a helper decides. */
const isUsual = ({ ifname, script, downscript, vnet_hdr, queues }: TapSetup): boolean =>
  ifname === '' && script === SCRIPTS.up && downscript === SCRIPTS.down && vnet_hdr && queues === 1;

/** What does not go together, in QEMU's words; and what cannot be had. */
function settled(setup: TapSetup): TapSetup {
  const refused = (words: string): Problem => new Problem(`-netdev tap,id=${setup.clients[0]}: ${words}.`);
  if (setup.fds !== '') {
    throw refused('fds= is not there: fd=N is one tap that is open, and queues=N has several of one that is modelled');
  }
  if (setup.helper !== '' && !isUsual(setup)) {
    throw refused('ifname=, script=, downscript=, vnet_hdr=, queues=, and vhostfds= are invalid with helper=');
  }
  if (setup.vhostfd !== '' || setup.vhostfds !== '') {
    throw refused('vhostfd= is of a real host: vhost=on opens the device of the modelled one');
  }
  if ((setup.vhost || setup.vhostforce) && setup['poll-us'] !== 0) {
    throw refused('poll-us= is not there: the worker of vhost waits for signals alone');
  }
  return setup;
}

export const driver: Driver<TapState, TapSetup> = {
  name: 'tap',
  description: 'An interface of the modelled Linux',
  bus: 'System',
  category: 'Network',
  properties: PROPERTIES as unknown as PropertiesOf<TapSetup>,
  settle: settled,
  create: tap,
  atReset: tapAtReset,
  reducer: TAP_REDUCER,
};

/** `-netdev bridge`: a helper has opened the tap and made it a port. */
export const bridgeDriver: Driver<TapState, TapSetup> = {
  ...driver,
  name: 'bridge',
  description: 'An interface of the modelled Linux that a helper makes a port of a bridge',
  properties: {
    br: text('br0', 'The bridge'),
    helper: text(HELPER, 'What makes it one'),
    carried: CARRIED,
  } as unknown as PropertiesOf<TapSetup>,
  settle: (setup) => settled({ ...USUAL, ...setup }),
};

/** What `-netdev bridge` does not take. */
const USUAL = {
  ...{ ifname: '', script: SCRIPTS.up, downscript: SCRIPTS.down, vnet_hdr: true, sndbuf: 0, queues: 1 },
  ...{ fds: '', vhost: false, vhostfd: '', vhostfds: '', vhostforce: false, 'poll-us': 0 },
} as const;
