/** What a virtio network device does when a driver or a person does something. QEMU 7.2: hw/net/virtio-net.c. */
import { latin1 } from '../../base/bytes.ts';
import { type ConfigWrite, configChanged, hasFeature, isAtWork } from '../virtio/index.ts';
import { configBytes, macOf } from './config.ts';
import { serveCommands } from './control.ts';
import { writtenMac } from './mac.ts';
import { FEATURE } from './registers.ts';
import { type NetFunctionState, pairOf } from './state.ts';
import { framesNotified, type Net, wireOf, workGoesOn } from './transmit.ts';

/** A driver has notified it of a queue. Returns how many elements there were. */
export function serveNotification(net: Net, queue: number): number {
  if (queue === net.state.queues.length - 1) return serveCommands(net, queue);
  if (queue < (net.state.offloaded ?? 0)) {
    net.effects.kickVhost(queue);
    return 0;
  }
  if (queue % 2 === 1) return framesNotified(net, queue);
  net.effects.takePackets(wireOf(net, pairOf(queue)));
  return 0;
}

/** Somebody pulled the cable, or plugged it. virtio_net_set_link_status. */
export function setLink(net: Net, up: boolean): void {
  const { state, effects } = net;
  if (state.isLinkUp !== up) {
    effects.raise({ kind: 'sim:virtio_net_link', dev: effects.name, up });
    configChanged(net);
  }
  workGoesOn(net, isAtWork(state));
}

/** Somebody wants its driver to tell where it is. virtio_net_announce. */
export function announce(net: Net): void {
  const { state, effects } = net;
  if (!hasFeature(state, FEATURE.announce) || !hasFeature(state, FEATURE.control)) return;
  effects.raise({ kind: 'virtio_net_announce_notify', dev: effects.name });
  configChanged(net);
}

/** A driver reads the configuration: what it writes next is written to that. virtio_config_readb. */
export function readConfig({ state, effects, setup }: Net): void {
  const mac = latin1(macOf(setup, state));
  if (state.shown === mac) return;
  effects.raise({ kind: 'sim:virtio_net_config', dev: effects.name, mac: writtenMac(mac) });
}

/** A driver of the oldest interface writes its address into the configuration. virtio_net_set_config. */
export function writeConfig({ state, effects, setup }: Net, { offset, size, value }: ConfigWrite): void {
  if (offset + size > configBytes(setup)) return;
  const mac = [...state.shown].map((byte, at) =>
    at >= offset && at < offset + size ? String.fromCharCode((value >>> (8 * (at - offset))) & 0xff) : byte,
  );
  const told = { dev: effects.name, mac: writtenMac(mac.join('')) };
  if (mac.join('') !== state.shown) effects.raise({ kind: 'sim:virtio_net_config', ...told });
  if (hasFeature(state, FEATURE.controlMac) || hasFeature(state, FEATURE.version1)) return;
  if (mac.join('') !== latin1(macOf(setup, state))) effects.raise({ kind: 'sim:virtio_net_mac', ...told });
}

/** For a stopped person. */
export const describeNet = (setup: Net['setup'], net: NetFunctionState): Readonly<Record<string, string>> => ({
  status: `0x${net.status.toString(16)}`,
  mac: writtenMac(latin1(macOf(setup, net))),
  link: net.isLinkUp ? 'up' : 'down',
  receives: net.modes.join(', ') || 'its own',
  vhost: net.offloaded === undefined ? 'off' : 'on',
  'in flight': `${net.queues.reduce((sum, { elements }) => sum + elements.length, 0)}`,
});
