import { isAtWork, type VirtioPart, virtioPciDriver, type Words } from '../virtio/index.ts';
import { announce, describeNet, readConfig, serveNotification, setLink, writeConfig } from './behaviour.ts';
import { BAD_FEATURES, configBytes, configOf, featuresOf, macOf } from './config.ts';
import { NET_REDUCER } from './evolve.ts';
import { offloadsTaken } from './offloads.ts';
import { isReceiving, receiveFrame } from './receive.ts';
import { CONTROL_DESCRIPTORS, FEATURE } from './registers.ts';
import { NET_PROPERTIES, type NetSetup, settledNet } from './setup.ts';
import { isMultiQueue, netAtReset, type NetFunctionState, type NetState, pairOf } from './state.ts';
import { offloadedQueues } from './vhost.ts';
import { frameTaken, giveBackAll, type Net, sendWaiting, timerOf, wireOf, workGoesOn } from './transmit.ts';

const NOTHING: Words = [0, 0];

const pairsOf = ({ 'x-queue-pairs': length }: NetSetup): number[] => Array.from({ length }, (_, pair) => pair);

/** A network card of virtio. Virtio 1.1, 5.1. */
export const driver = virtioPciDriver<NetState, NetSetup>({
  name: 'virtio-net-pci',
  description: 'Network card of virtio',
  category: 'Network',
  properties: NET_PROPERTIES,
  romfile: 'efi-virtio.rom',
  settle: settledNet,
  identity: { id: 1, classCode: 0x02_00_00, transitionalId: 0x1000 },
  configBytes,
  queueSizes(setup, features) {
    const { rx_queue_size: rx, tx_queue_size: tx } = setup;
    const pairs = isMultiQueue(features) ? pairsOf(setup) : [0];
    return [...pairs.flatMap(() => [rx, tx]), CONTROL_DESCRIPTORS];
  },
  atReset: () => netAtReset,
  create(setup, layout) {
    const of = (part: VirtioPart<NetFunctionState>): Net => ({ ...part, setup });
    const net = (state: NetFunctionState, effects: Net['effects']): Net => ({ layout, state, effects, setup });
    const timers = pairsOf(setup).map(timerOf);
    return {
      timers,
      legacyFeatures: 2 ** FEATURE.gso,
      badFeatures: BAD_FEATURES,
      features: ({ effects }) => featuresOf(setup, effects.peer),
      config: ({ state }) => configOf(setup, state),
      configRead: (part) => readConfig(of(part)),
      configWritten: (part, write) => writeConfig(of(part), write),
      featuresSet(part) {
        part.effects.attachQueues(part.state.pairs);
        offloadsTaken(of(part));
      },
      withholds: ({ effects }) => (effects.peer?.vhost === undefined ? NOTHING : [0, 2 ** (FEATURE.ringReset - 32)]),
      offloaded: offloadedQueues,
      statusSet: (part, status) => workGoesOn(of(part), isAtWork({ status })),
      queueReset: ({ effects, state }, queue) => {
        if (queue < state.queues.length - 1) effects.settlePackets(wireOf({ effects }, pairOf(queue)));
      },
      serve: (part, queue) => serveNotification(of(part), queue),
      drain(part) {
        giveBackAll(of(part));
        for (let wire = 0; wire < (part.effects.peer?.queues ?? 1); wire += 1) part.effects.settlePackets(wire);
      },
      expire: (state, timer, effects) => void sendWaiting(net(state, effects), timers.indexOf(timer)),
      takesShort: true,
      mac: [...macOf(setup, { mac: '' })],
      announce: (state, effects) => announce(net(state, effects)),
      canReceive: (state, queue) => isReceiving(state, queue),
      receivePacket: (state, packet, effects) => receiveFrame(net(state, effects), packet),
      packetSent: (state, effects, queue) => frameTaken(net(state, effects), queue),
      linkSet: (state, up, effects) => setLink(net(state, effects), up),
      describe: (state) => describeNet(setup, state),
    };
  },
  reducer: NET_REDUCER,
});
