/** A virtio device as a PCI function. QEMU 7.2: hw/virtio/virtio-pci.c. */
import type { Effects, EventfdWrite } from '../device.ts';
import type { Driver } from '../driver.ts';
import {
  type FunctionBody,
  getConfig,
  isBusMaster,
  PCI,
  type PciFunctionState,
  type RomSetup,
  shapedPciDriver,
} from '../pci/index.ts';
import { bool, type PropertiesOf, uint32 } from '../properties.ts';
import { virtioReducer } from './evolve.ts';
import { joinReducers } from './join-reducers.ts';
import { layoutOf, type Structure, UNSPECIFIED, type VirtioLayout, type VirtioSetup, WINDOW } from './layout.ts';
import type { VirtioBody, VirtioModel } from './model.ts';
import { GUEST_NOTIFIER, interruptDriver, type VirtioPart } from './queues.ts';
import { LEGACY, STATUS } from './registers.ts';
import { NO_FEATURES, type VirtioFunctionState, virtioAtReset, type VirtioState, type Words } from './state.ts';
import { readStructure, serve, writeStructure } from './transport.ts';

/** Properties of every virtio device on PCI, as QEMU names them. */
export const VIRTIO_PROPERTIES: PropertiesOf<VirtioSetup> = {
  'disable-legacy': bool(false, 'No legacy interface'),
  'disable-modern': bool(false, 'No interface of Virtio 1'),
  ioeventfd: bool(true, 'Notifications are signals KVM gives, not exits to user space'),
  'page-per-vq': bool(false, 'A page for the notifications of each queue'),
  event_idx: bool(true, 'Offer VIRTIO_F_EVENT_IDX'),
  indirect_desc: bool(true, 'Offer VIRTIO_F_INDIRECT_DESC'),
  vectors: uint32(UNSPECIFIED, 'Vectors of MSI-X, usually one a queue and one for the configuration'),
};

const ALL_FEATURES: Words = [0xffff_ffff, 0xffff_ffff];

/** The driver of a virtio model. */
export function virtioPciDriver<Own extends object, P extends VirtioSetup>(
  model: VirtioModel<Own, P>,
): Driver<PciFunctionState & VirtioState & Own, P & RomSetup> {
  const layoutFor = (setup: P): VirtioLayout => {
    const queues = model.queueSizes(setup, ALL_FEATURES).length;
    return layoutOf(model.identity, { queues, configBytes: model.configBytes(setup) }, setup);
  };
  return shapedPciDriver<VirtioState & Own, P>({
    ...model,
    shape: (setup) => layoutFor(setup).shape,
    create(setup) {
      const layout = layoutFor(setup);
      return functionBody(layout, model.create(setup, layout));
    },
    atReset: (setup) => ({ ...virtioAtReset(model.queueSizes(setup, NO_FEATURES)), ...model.atReset(setup) }),
    reducerOf: (setup) =>
      joinReducers(
        virtioReducer(layoutFor(setup), (features) => model.queueSizes(setup, features)),
        model.reducer,
      ),
  });
}

/** What every virtio function does with its registers, around what the model does. */
function functionBody<S extends VirtioFunctionState>(layout: VirtioLayout, body: VirtioBody<S>): FunctionBody<S> {
  const { structures } = layout;
  const partOf = (state: S, effects: Effects): VirtioPart<S> => ({ layout, state, effects });
  const {
    features: _features,
    withholds: _withholds,
    offloaded: _offloaded,
    config: _config,
    serve: _serve,
    configRead: _configRead,
    configWritten: _written,
    drain: _drain,
    started: _started,
    statusSet: _statusSet,
    queueReset: _queueReset,
    legacyFeatures: _legacyFeatures,
    badFeatures: _badFeatures,
    ...more
  } = body;
  return {
    ...more,
    // QEMU resets what it has made before it runs.
    powerOn: (state, effects) => body.featuresSet?.(partOf(state, effects)),
    read(state, region, offset, size, effects) {
      const access = { structure: structures[region]!, offset, size, commit: () => effects.commit() };
      return readStructure(body, partOf(state, effects), access);
    },
    write(state, region, offset, size, value, effects) {
      const access = { structure: structures[region]!, offset, size, value, commit: () => effects.commit() };
      writeStructure(body, partOf(state, effects), access);
    },
    reset(state, effects) {
      body.statusSet?.(partOf(state, effects), 0);
      body.drain?.(partOf(state, effects));
      effects.commit();
      body.featuresSet?.(partOf(state, effects));
    },
    eventfds: (state) => notifications(layout, state, body.offloaded?.(state)),
    notified(state, id, effects) {
      effects.commit();
      if (id >= GUEST_NOTIFIER) {
        interruptDriver(partOf(state, effects), id - GUEST_NOTIFIER);
        return 0;
      }
      return serve(body, partOf(state, effects), id);
    },
    configRead: (state, offset, size, effects) => {
      const asked = windowAccess(layout, state, offset, size);
      if (asked === undefined) return;
      const tell = (value: number): void => told(effects, 'read', asked, value);
      tell(readStructure(body, partOf(state, effects), { ...asked, commit: () => tell(0) }));
    },
    configWritten(state, offset, size, effects) {
      // A driver that takes bus mastering away has stopped the device.
      if (offset <= PCI.command && offset + size > PCI.command && !isBusMaster(state)) {
        stop(body, partOf(state, effects));
      }
      const asked = windowAccess(layout, state, offset, size);
      if (asked === undefined) return;
      const value = getConfig(state.config, layout.window! + WINDOW.data, asked.size);
      const access = { ...asked, value, commit: () => told(effects, 'write', asked, value) };
      writeStructure(body, partOf(state, effects), access);
    },
  };
}

/**
 * Notifications as signals, once the device is started. Of both interfaces, as QEMU has them. Of queues that the kernel
 * serves they are always signals, and others' are none as long as it does.
 */
function notifications(
  { structures, notifyMultiplier, setup }: VirtioLayout,
  state: VirtioFunctionState,
  offloaded: readonly number[] | undefined,
): EventfdWrite[] {
  if (offloaded === undefined && !(setup.ioeventfd && state.isStarted)) return [];
  const [legacy, modern] = [structures.indexOf('legacy'), structures.indexOf('notify')];
  return state.queues.flatMap(({ size }, queue): EventfdWrite[] => {
    if (size === 0 || offloaded?.includes(queue) === false) return [];
    const place = {
      region: modern,
      offset: queue * notifyMultiplier,
      size: 0,
      match: undefined,
    } as const;
    const port = { region: legacy, offset: LEGACY.queueNotify, size: 2, match: queue } as const;
    const how = { isPrimed: true, byKernel: offloaded !== undefined };
    return [
      ...(modern < 0 ? [] : [{ id: queue, ...place, ...how }]),
      ...(legacy < 0 ? [] : [{ id: queue, ...port, ...how }]),
    ];
  });
}

function stop<S extends VirtioFunctionState>(body: VirtioBody<S>, part: VirtioPart<S>): void {
  const { state, effects } = part;
  const val = state.status & ~STATUS.driverOk;
  if (val === state.status) return;
  body.statusSet?.(part, val);
  effects.raise({ kind: 'virtio_set_status', dev: effects.name, val });
}

interface WindowAccess {
  readonly structure: Structure;
  readonly region: number;
  readonly offset: number;
  readonly size: number;
}

/** What an access to the window's data reaches. Virtio 1.1, 4.1.4.7; which BAR is named makes no difference to QEMU. */
function windowAccess(
  { window, structures, shape }: VirtioLayout,
  { config }: VirtioFunctionState,
  at: number,
  length: number,
): WindowAccess | undefined {
  if (window === undefined || at + length <= window + WINDOW.data || at >= window + WINDOW.bytes) return undefined;
  const size = getConfig(config, window + WINDOW.length, 4);
  if (size !== 1 && size !== 2 && size !== 4) return undefined;
  const place = getConfig(config, window + WINDOW.offset, 4);
  const aligned = place - (place % size);
  const region = shape.regions.findIndex(
    ({ bar, length: own }) => bar !== undefined && aligned >= bar.offset && aligned < bar.offset + own,
  );
  if (region < 0) return undefined;
  return { structure: structures[region]!, region, offset: aligned - shape.regions[region]!.bar!.offset, size };
}

function told(effects: Effects, dir: 'read' | 'write', { region, offset, size }: WindowAccess, value: number): void {
  effects.raise({ kind: 'sim:virtio_window', dev: effects.name, dir, region, offset, size, value });
}
