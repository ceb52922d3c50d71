/** Registers of a virtio function as a driver reads and writes them. QEMU 7.2: hw/virtio/virtio-pci.c. */
import { type Structure, usesMsix } from './layout.ts';
import type { VirtioBody } from './model.ts';
import { breakDevice, type VirtioPart } from './queues.ts';
import { ADDRESS_PARTS, ANY_LAYOUT, COMMON, FEATURE, LEGACY, LEGACY_PAGE, NO_VECTOR, STATUS } from './registers.ts';
import {
  hasFeature,
  NO_FEATURES,
  selectedQueue,
  type VirtioFunctionState,
  type VirtqueueState,
  type Words,
} from './state.ts';

/** One access of a driver, and how it comes on record. */
export interface DriverAccess {
  readonly structure: Structure;
  readonly offset: number;
  readonly size: number;
  readonly commit: () => void;
}

/** Features every virtio device offers by its ring and transport. */
const RING_FEATURES = {
  low: 2 ** FEATURE.notifyOnEmpty + ANY_LAYOUT,
  bad: 2 ** FEATURE.badFeature,
} as const;
const bit = (feature: number): number => 2 ** (feature % 32);
const MODERN_HIGH = bit(FEATURE.version1) + bit(FEATURE.ringReset);
/** What only the legacy interface shows. */
const LEGACY_ONLY = RING_FEATURES.low + RING_FEATURES.bad;

/** What a driver may accept. */
function offered<S extends VirtioFunctionState>(body: VirtioBody<S>, part: VirtioPart<S>): Words {
  const [low, high] = body.features(part);
  const { event_idx: hasEventIdx, indirect_desc: hasIndirect } = part.layout.setup;
  const ring = (hasEventIdx ? bit(FEATURE.eventIdx) : 0) + (hasIndirect ? bit(FEATURE.indirect) : 0);
  const [lessLow, lessHigh] = body.withholds?.(part) ?? NO_FEATURES;
  const modern = part.layout.isModern ? MODERN_HIGH & ~lessHigh : 0;
  return [(((ring | LEGACY_ONLY) & ~lessLow) | low) >>> 0, (high | modern) >>> 0];
}

/** What a read gives. One that changes something is committed. */
export function readStructure<S extends VirtioFunctionState>(
  body: VirtioBody<S>,
  part: VirtioPart<S>,
  access: DriverAccess,
): number {
  const { structure, offset, size } = access;
  switch (structure) {
    case 'legacy':
      return readLegacy(body, part, access);
    case 'common':
      return readCommon(body, part, offset);
    case 'isr':
      return takeIsr(part, access);
    case 'device':
      return configRead(body, part, offset, size);
    case 'notify':
      return 0;
  }
}

function takeIsr({ state, effects }: VirtioPart<VirtioFunctionState>, { commit }: DriverAccess): number {
  const { isr } = state;
  if (isr !== 0) commit();
  effects.pin('intx', false);
  return isr;
}

/** What is not wholly inside reads all ones. */
function configRead<S extends VirtioFunctionState>(
  body: VirtioBody<S>,
  part: VirtioPart<S>,
  offset: number,
  size: number,
): number {
  const config = body.config(part);
  if (offset + size > config.length) return 2 ** (8 * size) - 1;
  body.configRead?.(part);
  return numberAt(config, offset, size);
}

/** Little-endian, of up to 4 bytes. */
function numberAt(bytes: Uint8Array, offset: number, size: number): number {
  let value = 0;
  for (let at = size - 1; at >= 0; at--) value = value * 256 + bytes[offset + at]!;
  return value;
}

const ALL_ONES = 0xffff_ffff;

function readLegacy<S extends VirtioFunctionState>(
  body: VirtioBody<S>,
  part: VirtioPart<S>,
  access: DriverAccess,
): number {
  const { state, layout } = part;
  const { offset, size } = access;
  const hasMsix = usesMsix(layout, state);
  const own = hasMsix ? LEGACY.deviceConfigWithMsix : LEGACY.deviceConfig;
  if (offset >= own) return configRead(body, part, offset - own, size);
  const queue = selectedQueue(state);
  switch (offset) {
    case LEGACY.hostFeatures:
      return offered(body, part)[0];
    case LEGACY.guestFeatures:
      return state.features[0];
    case LEGACY.queuePfn:
      // A ring that the modern interface placed may begin anywhere.
      return Math.floor((queue?.desc ?? 0) / LEGACY_PAGE) >>> 0;
    case LEGACY.queueSize:
      return queue?.size ?? 0;
    case LEGACY.queueSelect:
      return state.queueSelect;
    case LEGACY.status:
      return state.status;
    case LEGACY.isr:
      return takeIsr(part, access);
    case LEGACY.configVector:
      return state.configVector;
    case LEGACY.queueVector:
      return queue?.vector ?? NO_VECTOR;
    default:
      return ALL_ONES;
  }
}

function readCommon<S extends VirtioFunctionState>(body: VirtioBody<S>, part: VirtioPart<S>, offset: number): number {
  const { state } = part;
  const { deviceFeatureSelect, driverFeatureSelect } = state;
  switch (offset) {
    case COMMON.deviceFeatureSelect:
      return deviceFeatureSelect;
    case COMMON.deviceFeature:
      return modernFeatures(body, offered(body, part))[deviceFeatureSelect] ?? 0;
    case COMMON.driverFeatureSelect:
      return driverFeatureSelect;
    case COMMON.driverFeature:
      return state.driverFeatures[driverFeatureSelect] ?? 0;
    case COMMON.configVector:
      return state.configVector;
    case COMMON.queueCount:
      return state.queues.findLastIndex(({ size }) => size > 0) + 1;
    case COMMON.status:
      return state.status;
    case COMMON.configGeneration:
      return state.generation;
    case COMMON.queueSelect:
      return state.queueSelect;
    case COMMON.queueNotifyOffset:
      return state.queueSelect;
    default:
      return readQueue(selectedQueue(state), offset);
  }
}

const modernFeatures = <S extends VirtioFunctionState>(
  { legacyFeatures = 0 }: VirtioBody<S>,
  [low, high]: Words,
): Words => [(low & ~(LEGACY_ONLY | legacyFeatures)) >>> 0, high];

function readQueue(queue: VirtqueueState | undefined, offset: number): number {
  switch (offset) {
    case COMMON.queueSize:
      return queue?.size ?? 0;
    case COMMON.queueVector:
      return queue?.vector ?? NO_VECTOR;
    case COMMON.queueEnable:
      return queue?.enabled === true ? 1 : 0;
  }
  const part = ADDRESS_PARTS[(offset - COMMON.queueDescLow) >> 3];
  if (queue === undefined || part === undefined || offset < COMMON.queueDescLow || offset % 4 !== 0) return 0;
  return queue.registers[part][(offset >> 2) & 1] ?? 0;
}

/** A driver writes. */
export function writeStructure<S extends VirtioFunctionState>(
  body: VirtioBody<S>,
  part: VirtioPart<S>,
  access: DriverAccess & { readonly value: number },
): void {
  switch (access.structure) {
    case 'legacy':
      writeLegacy(body, part, access);
      return;
    case 'common':
      writeCommon(body, part, access);
      return;
    case 'device':
      access.commit();
      body.configWritten?.(part, access);
      return;
    case 'notify':
      access.commit();
      serve(body, part, Math.floor(access.offset / part.layout.notifyMultiplier));
      return;
    case 'isr':
      access.commit();
  }
}

type Write = DriverAccess & { readonly value: number };

function writeLegacy<S extends VirtioFunctionState>(body: VirtioBody<S>, part: VirtioPart<S>, access: Write): void {
  const { state, layout } = part;
  const { offset, value } = access;
  const own = usesMsix(layout, state) ? LEGACY.deviceConfigWithMsix : LEGACY.deviceConfig;
  access.commit();
  if (offset >= own) {
    body.configWritten?.(part, { ...access, offset: offset - own });
    return;
  }
  switch (offset) {
    case LEGACY.guestFeatures:
      accept(body, part, [(value & RING_FEATURES.bad) === 0 ? value : (body.badFeatures ?? 0), 0]);
      return;
    case LEGACY.queuePfn:
      if (value === 0) reset(body, part);
      else checkRing(part, state.queueSelect);
      return;
    case LEGACY.queueNotify:
      serve(body, part, value);
      return;
    case LEGACY.status:
      setStatus(body, part, value & 0xff);
  }
}

function writeCommon<S extends VirtioFunctionState>(body: VirtioBody<S>, part: VirtioPart<S>, access: Write): void {
  const { state } = part;
  if (access.offset === COMMON.queueReset && access.value === 1) body.queueReset?.(part, state.queueSelect);
  access.commit();
  switch (access.offset) {
    case COMMON.driverFeature:
      if (state.driverFeatureSelect < 2) accept(body, part, state.driverFeatures);
      return;
    case COMMON.status:
      setStatus(body, part, access.value & 0xff);
      return;
    case COMMON.queueEnable:
      if (access.value === 1) checkRing(part, state.queueSelect);
      else breakDevice(part, -1, `wrong value for queue_enable ${access.value.toString(16)}`);
  }
}

/** Features are settled by FEATURES_OK. What the device does not offer is not taken. virtio_set_features. */
function accept<S extends VirtioFunctionState>(body: VirtioBody<S>, part: VirtioPart<S>, wanted: Words): void {
  const { state, effects } = part;
  if ((state.status & STATUS.featuresOk) !== 0) return;
  const [low, high] = offered(body, part);
  const taken = { low: (wanted[0] & low) >>> 0, high: (wanted[1] & high) >>> 0 };
  effects.raise({ kind: 'sim:virtio_features', dev: effects.name, ...taken });
  body.featuresSet?.(part);
}

function setStatus<S extends VirtioFunctionState>(body: VirtioBody<S>, part: VirtioPart<S>, val: number): void {
  const before = part.state.status;
  body.statusSet?.(part, val);
  part.effects.raise({ kind: 'virtio_set_status', dev: part.effects.name, val });
  if (val === 0) reset(body, part);
  else if ((val & ~before & STATUS.driverOk) !== 0) body.started?.(part);
}

/** As new. */
function reset<S extends VirtioFunctionState>(body: VirtioBody<S>, part: VirtioPart<S>): void {
  const { effects } = part;
  body.statusSet?.(part, 0);
  body.drain?.(part);
  effects.raise({ kind: 'virtio_set_status', dev: effects.name, val: 0 });
  effects.raise({ kind: 'sim:virtio_reset', dev: effects.name });
  body.featuresSet?.(part);
  effects.pin('intx', false);
}

/** A ring that begins in memory lies there whole. virtio_init_region_cache. */
function checkRing(part: VirtioPart<VirtioFunctionState>, number: number): void {
  const queue = part.state.queues[number];
  if (queue === undefined || queue.desc === 0) return;
  const { desc, avail, used, size } = queue;
  const pair = hasFeature(part.state, FEATURE.eventIdx) ? 2 : 0;
  const parts = [
    ['desc', desc, 16 * size],
    ['used', used, 4 + 8 * size + pair],
    ['avail', avail, 4 + 2 * size + pair],
  ] as const;
  for (const [name, gpa, length] of parts) {
    const reach = part.effects.ramReach(gpa, length);
    if (reach === 0 || reach === length) continue;
    breakDevice(part, number, `Cannot map ${name}`);
    return;
  }
}

/** A driver's notification has come to the device. Returns how many elements there were. */
export function serve<S extends VirtioFunctionState>(body: VirtioBody<S>, part: VirtioPart<S>, queue: number): number {
  const { state, effects } = part;
  const asked = state.queues[queue];
  if (asked === undefined || asked.desc === 0 || state.broken) return 0;
  effects.raise({ kind: 'virtio_queue_notify', dev: effects.name, n: queue });
  return body.serve(part, queue);
}
