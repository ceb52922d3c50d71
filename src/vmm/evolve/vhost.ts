/** What facts do to the vhost devices of the modelled Linux. */
import type { Draft } from '../../base/draft.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import type { Stamped } from '../../events/stamped.ts';
import { lengthOf, segmentsFrom } from '../../devices/virtio/index.ts';
import { addPages } from '../../memory/page-bits.ts';
import type { MachineConfig } from '../config.ts';
import type { VmmState } from '../state.ts';
import { FEATURE, has } from '../vhost/features.ts';
import { isOutdated, RX, TX, type UsedElement, type VhostState, type VringState } from '../vhost/state.ts';

type Vmm = Draft<VmmState>;
type Vhost = Draft<VhostState>;
type Vring = Draft<VringState>;
type Asked = EventOf<'sim:vhost_ioctl'>;

function vhostOf({ net }: Vmm, client: string): Vhost | undefined {
  const vhosts = net?.vhosts ?? {};
  return Object.hasOwn(vhosts, client) ? vhosts[client] : undefined;
}

function vringOf(vmm: Vmm, { client, queue }: { readonly client: string; readonly queue: number }): Vring | undefined {
  return vhostOf(vmm, client)?.vrings[queue];
}

/** sim:vhost_ioctl. */
export function asked(vmm: Vmm, event: Asked): void {
  const vhost = vhostOf(vmm, event.client);
  if (vhost === undefined || event.ret !== 0) return;
  if (event.cmd === 'VHOST_SET_FEATURES') {
    vhost.features = [Number(event.arg & 0xffff_ffffn), Number(event.arg >> 32n)];
    if (!has(vhost.features, FEATURE.logAll)) delete vhost.log;
  } else if (event.cmd === 'VHOST_SET_LOG_BASE') {
    vhost.log = { words: Number(event.arg), pages: {} };
  } else if (event.cmd === 'VHOST_SET_MEM_TABLE') {
    const words = wordsOf(event.more);
    vhost.table = Array.from({ length: Math.floor(words.length / 3) }, (_, at) => {
      const [gpa, size, hva] = words.slice(3 * at) as [number, number, number];
      return { gpa, size, hva };
    });
  } else {
    const vring = vhost.vrings[event.queue];
    if (vring !== undefined && Object.hasOwn(RING, event.cmd)) RING[event.cmd]!(vring, event);
  }
}

const fdOf = ({ arg }: Asked): number => Number(BigInt.asIntN(64, arg));

/** What an ioctl of a ring does to it. */
const RING: Readonly<Record<string, (vring: Vring, event: Asked) => void>> = {
  VHOST_SET_VRING_NUM(vring, { arg }) {
    vring.num = Number(arg);
  },
  VHOST_SET_VRING_BASE(vring, { arg }) {
    vring.lastAvail = Number(arg);
    vring.availIdx = vring.lastAvail;
  },
  VHOST_SET_VRING_ADDR(vring, { arg, more }) {
    const [desc = 0, used = 0, avail = 0, log = 0] = wordsOf(more);
    Object.assign(vring, { desc, used, avail, log, isLogged: (arg & 1n) !== 0n });
  },
  VHOST_SET_VRING_KICK(vring, event) {
    vring.kick = fdOf(event);
  },
  VHOST_SET_VRING_CALL(vring, event) {
    vring.call = fdOf(event);
    // The first it is given is what QEMU keeps for while the vector is masked.
    if (vring.masked < 0) vring.masked = vring.call;
  },
  VHOST_SET_VRING_ERR(vring, event) {
    vring.error = fdOf(event);
  },
  VHOST_NET_SET_BACKEND(vring, event) {
    vring.hasBackend = fdOf(event) >= 0;
    vring.isPolling = vring.hasBackend && event.queue === RX;
    over(vring);
    if (!vring.hasBackend) return;
    vring.lastUsed = event.more[0]! | (event.more[1]! << 8);
    vring.isSignalledKnown = false;
  },
};

/** Numbers of 8 bytes, little-endian. */
function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / 8) }, (_, at) => Number(view.getBigUint64(8 * at, true)));
}

/** A piece of work has come to its end. */
function over(vring: Vring): void {
  vring.packets = 0;
  vring.bytes = 0;
}

/** sim:vhost_get_desc. */
export function taken(vmm: Vmm, event: EventOf<'sim:vhost_get_desc'>, _config: MachineConfig, { seq }: Stamped): void {
  const vring = vringOf(vmm, event);
  if (vring === undefined) return;
  const view = new DataView(event.heads.buffer, event.heads.byteOffset, event.heads.byteLength);
  const heads = Array.from({ length: Math.floor(event.heads.length / 8) }, (_, at): UsedElement => {
    return { id: view.getUint32(8 * at, true), len: view.getUint32(8 * at + 4, true) };
  });
  // A trace says what it likes: too many for one call.
  for (const head of heads) vring.done.push(head);
  vring.availIdx = event.avail;
  vring.lastAvail = (vring.lastAvail + heads.length) & 0xffff;
  vring.takenBy = seq;
  vring.packets += 1;
  vring.bytes += bytesOf(event, heads);
}

/** Of a frame that is sent its pieces, of one that comes what is written. */
const bytesOf = ({ queue, segments }: EventOf<'sim:vhost_get_desc'>, heads: readonly UsedElement[]): number =>
  queue === TX ? lengthOf(segmentsFrom(segments)) : heads.reduce((sum, { len }) => sum + len, 0);

/** sim:vhost_add_used. */
export function givenBack(vmm: Vmm, event: EventOf<'sim:vhost_add_used'>): void {
  const vring = vringOf(vmm, event);
  if (vring === undefined) return;
  const before = vring.lastUsed;
  vring.done = [];
  vring.lastUsed = (before + event.count) & 0xffff;
  if (event.signal !== 'none') {
    vring.signalledUsed = vring.lastUsed;
    vring.isSignalledKnown = true;
  } else if (isOutdated(vring, event.count)) vring.isSignalledKnown = false;
}

/** sim:vhost_notify. */
export function notifySet(vmm: Vmm, event: EventOf<'sim:vhost_notify'>): void {
  const vring = vringOf(vmm, event);
  if (vring === undefined) return;
  vring.isQuiet = !event.on;
  vring.availIdx = event.avail;
}

/** sim:vhost_log_write. */
export function logged(vmm: Vmm, { client, addr, len }: EventOf<'sim:vhost_log_write'>): void {
  const log = vhostOf(vmm, client)?.log;
  if (log === undefined) return;
  const first = Math.floor(addr / PAGE);
  const end = Math.min(Math.ceil((addr + len) / PAGE), 64 * log.words);
  for (let page = first; page < end; page += 1) addPages(log.pages, [page]);
}

const PAGE = 4096;

/** sim:vhost_error. */
export function failed(vmm: Vmm, event: EventOf<'sim:vhost_error'>): void {
  const vring = vringOf(vmm, event);
  if (vring === undefined) return;
  vring.errors += 1;
  vring.availIdx = event.avail;
  vring.lastAvail = (vring.lastAvail + event.taken) & 0xffff;
}

/** sim:vhost_ran. */
export function ran(vmm: Vmm, event: EventOf<'sim:vhost_ran'>): void {
  const vring = vringOf(vmm, event);
  if (vring === undefined || event.end === 'more') return;
  over(vring);
  if (event.queue === RX && event.end !== 'weight') vring.isPolling = event.end === 'empty';
}
