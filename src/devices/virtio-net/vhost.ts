/** Frames that the kernel moves between rings and tap, past the device. QEMU 7.2: virtio_net_vhost_status. */
import type { NetPeer } from '../device.ts';
import { hasFeature, queueOf, restoreQueue, type VirtioPart } from '../virtio/index.ts';
import { FEATURE } from './registers.ts';
import type { NetFunctionState } from './state.ts';

type Net = VirtioPart<NetFunctionState>;

/** The queues of the pair it serves. */
const QUEUES = [0, 1] as const;

/** A driver is at work or not, the cable is plugged or not: the kernel takes over, or hands back. */
export function vhostFollows(net: Net, isDriverOk: boolean): void {
  const { state, effects } = net;
  if (effects.peer?.vhost === undefined) return;
  const isOn = state.isOffloaded === true;
  if ((isDriverOk && state.isLinkUp) === isOn) return;
  if (isOn) handBack(net);
  else handOver(net);
}

function handOver({ state, effects }: Net): void {
  const rings = QUEUES.map((queue) => {
    const { size, desc, avail, used, lastAvail, vector } = queueOf(state, queue);
    return { size, desc, avail, used, lastAvail, vector };
  });
  effects.raise({ kind: 'sim:virtio_net_vhost', dev: effects.name, on: true });
  if (effects.startVhost({ features: state.features, rings })) return;
  effects.raise({ kind: 'sim:virtio_net_vhost', dev: effects.name, on: false });
}

function handBack(net: Net): void {
  const { effects } = net;
  for (const [queue, lastAvail] of effects.stopVhost().entries()) restoreQueue(net, queue, lastAvail);
  effects.raise({ kind: 'sim:virtio_net_vhost', dev: effects.name, on: false });
}

/** Queues the kernel serves; undefined: it serves none. */
export const offloadedQueues = ({ isOffloaded }: NetFunctionState): readonly number[] | undefined =>
  isOffloaded === true ? QUEUES : undefined;

/** Which of its features the kernel would have to know, and does not. vhost_net_get_features. */
const OF_KERNEL: readonly number[] = [FEATURE.mergeable, FEATURE.hashReport, FEATURE.rss];

export const isUnknown = ({ vhost }: NetPeer, bit: number): boolean =>
  vhost !== undefined && OF_KERNEL.includes(bit) && !hasFeature({ features: vhost }, bit);
