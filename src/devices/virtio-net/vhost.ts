/** Frames that the kernel moves between rings and tap, past the device. QEMU 7.2: virtio_net_vhost_status. */
import type { NetPeer } from '../device.ts';
import { hasFeature, restoreQueue, type VirtioPart } from '../virtio/index.ts';
import { FEATURE } from './registers.ts';
import type { NetFunctionState } from './state.ts';

type Net = VirtioPart<NetFunctionState>;

/** A driver is at work or not, the cable is plugged or not: the kernel takes over, or hands back. */
export function vhostFollows(net: Net, isDriverOk: boolean): void {
  const { state, effects } = net;
  if (effects.peer?.vhost === undefined) return;
  const isOn = state.offloaded !== undefined;
  if ((isDriverOk && state.isLinkUp) === isOn) return;
  if (isOn) handBack(net);
  else handOver(net);
}

/** All queues but that of commands. */
function handOver({ state, effects }: Net): void {
  const rings = state.queues.slice(0, -1).map(({ size, desc, avail, used, lastAvail, vector }) => {
    return { size, desc, avail, used, lastAvail, vector };
  });
  const told = { kind: 'sim:virtio_net_vhost', dev: effects.name } as const;
  effects.raise({ ...told, on: true, queues: rings.length });
  if (effects.startVhost({ features: state.features, rings })) return;
  effects.raise({ ...told, on: false, queues: 0 });
}

function handBack(net: Net): void {
  const { state, effects } = net;
  for (const [queue, lastAvail] of effects.stopVhost(state.offloaded ?? 0).entries()) {
    // An old driver may have changed its mind about how many there are.
    if (queue < state.queues.length - 1) restoreQueue(net, queue, lastAvail);
  }
  effects.raise({ kind: 'sim:virtio_net_vhost', dev: effects.name, on: false, queues: 0 });
}

/** Queues the kernel serves; undefined: it serves none. */
export const offloadedQueues = ({ offloaded }: NetFunctionState): readonly number[] | undefined =>
  offloaded === undefined ? undefined : Array.from({ length: offloaded }, (_, queue) => queue);

/** Which of its features the kernel would have to know, and does not. vhost_net_get_features. */
const OF_KERNEL: readonly number[] = [FEATURE.mergeable, FEATURE.hashReport, FEATURE.rss];

export const isUnknown = ({ vhost }: NetPeer, bit: number): boolean =>
  vhost !== undefined && OF_KERNEL.includes(bit) && !hasFeature({ features: vhost }, bit);
