/** Ends of wires: who is on them, what went by, what waits. */
import { fromLatin1 } from '../../base/bytes.ts';
import { onOneLine } from '../../base/printable.ts';
import type { Ns } from '../../base/units.ts';
import type { GuestView } from '../../machine/guest-view.ts';
import { dissect } from '../../packets/dissect/dissect.ts';
import { summary } from '../../packets/dissect/summary.ts';
import { HUBPORT, isTap, type NetClientConfig, PORT, saidName, TAP_FD } from '../../vmm/config.ts';
import { driverOf, functionOf } from '../../vmm/models.ts';
import { backendDriver } from '../../vmm/pc/net-parts.ts';
import { setupOf } from '../../vmm/pc/setup.ts';
import type { NetClientState, PacketCount, PacketUnderway, PacketWaiting } from '../../vmm/state.ts';
import { viewOf } from './view.ts';

/** A packet that is nowhere yet. */
interface PacketSeen {
  readonly packet: number;
  readonly sender: string;
  readonly length: number;
  readonly text: string;
}

/** One end of a wire as it is now. */
interface ClientSeen extends NetClientConfig {
  /** QEMU's `info_str`: what it is made as. */
  readonly info: string;
  readonly state: Omit<NetClientState, 'queue'> & { readonly queue: readonly PacketSeen[] };
}

/** A packet on its way. */
interface UnderwaySeen extends PacketSeen {
  readonly client: string;
  readonly due: Ns;
}

interface NetworkSeen {
  /** As the machine was made: backends and ports of hubs, then cards. */
  readonly clients: readonly ClientSeen[];
  readonly underway: readonly UnderwaySeen[];
  readonly now: Ns;
}

function networkSeen({ view }: { readonly view: GuestView }): NetworkSeen {
  const { config, vmm } = view.machine.state;
  const { net: clients = [] } = config;
  return {
    clients: clients.flatMap((client) => {
      const state = vmm.net?.clients[client.name];
      if (state === undefined) return [];
      return [
        {
          ...client,
          info: infoOf(view, client),
          state: { ...structuredClone(state), queue: state.queue.map(packetSeen) },
        },
      ];
    }),
    underway: (vmm.net?.underway ?? []).map((packet) => ({ ...packetSeen(packet), ...wayOf(packet) })),
    now: view.machine.now(),
  };
}

const wayOf = ({ client, due }: PacketUnderway) => ({ client, due });

function packetSeen({ packet, sender, bytes }: PacketWaiting): PacketSeen {
  return { packet, sender, length: bytes.length, text: onOneLine(summary(dissect(fromLatin1(bytes)))) };
}

/** What a client is made as, and the address its card has now. */
function infoOf(view: GuestView, { type, part: name, ifname, queue = 0 }: NetClientConfig): string {
  const { config, vmm } = view.machine.state;
  const part = config.parts.find((each) => each.name === name);
  const state = name === undefined ? undefined : (vmm.devices as unknown as Readonly<Record<string, object>>)[name];
  if (part === undefined || state === undefined || type === PORT) return '';
  if (type === 'nic') {
    // QEMU says of the first queue alone what is the card's.
    if (queue > 0) return '';
    const { mac = '' } = functionOf(part)?.describe(state as never) ?? {};
    return `model=${driverOf(part.model).name},macaddr=${mac}`;
  }
  const netdev = config.netdevs?.[Number(/#(\d+)$/.exec(part.name)?.[1])];
  if (netdev === undefined) return '';
  const [, driver] = backendDriver(type);
  const setup = setupOf(type, driver, netdev.properties);
  const described = driver.create(setup).describe(state as never);
  const properties = queue > 0 ? { ...netdev.properties, script: 'no', downscript: 'no' } : netdev.properties;
  return INFO[type]?.({ ...described, ifname }, properties) ?? described['info'] ?? '';
}

type Words = Readonly<Record<string, unknown>>;

/** What QEMU's monitor says of a backend. */
const INFO: Readonly<Record<string, (described: Words, properties: Words) => string>> = {
  user: ({ net }, { restrict }) => `net=${net},restrict=${restrict === true ? 'on' : 'off'}`,
  pcap: (_, { file }) => `file=${file}`,
  tap: ({ ifname }, { script = '/etc/qemu-ifup', downscript = '/etc/qemu-ifdown', helper }) =>
    helper === undefined ? `ifname=${ifname},script=${script},downscript=${downscript}` : `helper=${helper}`,
  bridge: (_, { helper = '/usr/lib/qemu/qemu-bridge-helper', br = 'br0' }) => `helper=${helper},br=${br}`,
};

/** To QEMU the net client of `-netdev bridge` is a tap, and so is one that was open already. */
const clientText = (client: ClientSeen): string => {
  const type = isTap(client) || client.type === TAP_FD ? 'tap' : client.type;
  const index = client.peer === undefined ? 0 : (client.queue ?? 0);
  return onOneLine(`${saidName(client)}: index=${index},type=${type},${client.info}`);
};

/** `info network`, as QEMU 7.2 prints it: hubs, then cards with who is at the other end; nothing where nobody is. */
function networkText({ clients }: NetworkSeen): string {
  const named = (name: string | undefined): ClientSeen | undefined => clients.find((each) => each.name === name);
  const ports = clients.filter(({ type }) => type === HUBPORT).reverse();
  const hubs = [...new Set(ports.map(({ hub }) => hub!))];
  const lines = hubs.flatMap((hub) => [
    `hub ${hub}`,
    ...ports.filter((port) => port.hub === hub).map(({ name, peer }) => portText(name, named(peer))),
  ]);
  for (const client of clients) {
    const other = named(client.peer);
    // Of ports of bridges QEMU knows nothing.
    const peer = other?.type === PORT ? undefined : other;
    if (client.type === PORT || client.type === HUBPORT || peer?.type === HUBPORT) continue;
    if (client.type !== 'nic' && peer !== undefined) continue;
    lines.push(clientText(client), ...(peer === undefined ? [] : [` \\ ${clientText(peer)}`]));
  }
  return lines.join('\n');
}

const portText = (name: string, peer: ClientSeen | undefined): string =>
  peer === undefined ? ` \\ ${onOneLine(name)}` : ` \\ ${onOneLine(name)}: ${clientText(peer)}`;

export const NETWORK = viewOf({
  usage: 'network',
  help: 'network cards and backends, and who is on whose wire',
  also: ['info network'],
  look: networkSeen,
  print: networkText,
});

const SHOWN = 8;

const countText = ({ packets, bytes }: PacketCount): string =>
  `${packets} packet${packets === 1 ? '' : 's'}, ${bytes} bytes`;

function queueText({ name, type, peer, state }: ClientSeen): string[] {
  const { isLinkDown, isBlocked, queue, sent, received, dropped } = state;
  const wire = peer === undefined ? 'no wire' : `wire to ${peer}${isLinkDown ? ', which is pulled' : ''}`;
  const rest = queue.length - SHOWN;
  return [
    onOneLine(`${name}: ${type}, ${wire}`),
    `    Sent:    ${countText(sent)}`,
    `    Taken:   ${countText(received)}; ${dropped} lost here`,
    `    Waiting: ${queue.length}${isBlocked ? ', refused until it asks for more' : ''}`,
    ...queue.slice(0, SHOWN).map(({ packet, sender, length, text }) => {
      return onOneLine(`      packet ${packet} from ${sender}, ${length} bytes: ${text}`);
    }),
    ...(rest > 0 ? [`      and ${rest} more`] : []),
  ];
}

function underwayText({ packet, sender, client, due, length, text }: UnderwaySeen, now: Ns): string {
  const left = ((due - now) / 1000).toFixed(3);
  return onOneLine(`  packet ${packet} from ${sender} to ${client}, in ${left} us, ${length} bytes: ${text}`);
}

/** `netq`: what waits at the ends of wires, and what is between them. */
export const NET_QUEUES = viewOf({
  usage: 'netq',
  help: 'packets that wait for a network card or backend, and those on their way; counts of each',
  look: networkSeen,
  print({ clients, underway, now }) {
    if (clients.length === 0) return 'There is nobody on any wire.';
    const rest = underway.length - SHOWN;
    return [
      ...clients.flatMap(queueText),
      ...(underway.length === 0 ? [] : [`On their way: ${underway.length}`]),
      ...underway.slice(0, SHOWN).map((packet) => underwayText(packet, now)),
      ...(rest > 0 ? [`  and ${rest} more`] : []),
    ].join('\n');
  },
});
