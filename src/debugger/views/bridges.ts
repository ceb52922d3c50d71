/** Bridges of the modelled Linux, as iproute2 shows them: `bridge fdb show`, `ip -s link`. */
import { onOneLine } from '../../base/printable.ts';
import type { Ns } from '../../base/units.ts';
import type { GuestView } from '../../machine/guest-view.ts';
import { type BridgeSetup, type BridgeState, ownEthernet } from '../../net/bridge/state.ts';
import type { TapState } from '../../net/tap/state.ts';
import { ethernetText } from '../../packets/addresses.ts';
import { isTap } from '../../vmm/config.ts';
import { bridgeSetups } from '../../vmm/pc/bridge-parts.ts';
import type { NetClientState } from '../../vmm/state.ts';
import { viewOf } from './view.ts';

/** One way of an interface. */
interface Counted {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

interface PortSeen {
  readonly ifname: string;
  readonly ethernet: string;
  readonly state: string;
  readonly rx: Counted;
  readonly tx: Counted;
}

interface EntrySeen {
  readonly mac: string;
  readonly port: string;
  /** Virtual nanoseconds since it was heard; absent: it is the host's own. */
  readonly age?: Ns;
}

interface BridgeSeen {
  readonly setup: BridgeSetup;
  readonly entries: readonly EntrySeen[];
  readonly ports: readonly PortSeen[];
}

function bridgesSeen({ view }: { readonly view: GuestView }): readonly BridgeSeen[] {
  const { config, vmm } = view.machine.state;
  const devices = vmm.devices as unknown as Readonly<Record<string, object>>;
  const clients = config.net ?? [];
  return bridgeSetups(config).map(({ part, setup }) => {
    const state = devices[part] as BridgeState;
    const entries = Object.entries(state.fdb).map(([mac, { port, updated }]) => {
      return { mac, port, age: view.machine.now() - updated };
    });
    const own = setup.interfaces.map((port) => ({ mac: ethernetText(ownEthernet(setup, port)), port }));
    const ports = setup.interfaces.map((ifname): PortSeen => {
      const tap = clients.find((client) => isTap(client) && client.ifname === ifname);
      const port = vmm.net?.clients[`${setup.name}/${ifname}`];
      const counts = tap?.part === undefined ? portCounts(port) : (devices[tap.part] as TapState);
      const { rx, tx } = structuredClone(counts);
      return { ifname, ethernet: ethernetText(ownEthernet(setup, ifname)), state: portState(state, ifname), rx, tx };
    });
    return { setup: structuredClone(setup), entries: [...entries, ...own], ports };
  });
}

const portState = ({ ports }: BridgeState, ifname: string): string => ports[ifname]?.state ?? 'forwarding';

const NOTHING = { packets: 0, bytes: 0 };

/** Of what is no tap nobody counts but its port. */
function portCounts(port: NetClientState | undefined): { readonly rx: Counted; readonly tx: Counted } {
  const { received = NOTHING, sent = NOTHING, dropped = 0 } = port ?? {};
  return { rx: { ...received, errors: 0, dropped }, tx: { ...sent, errors: 0, dropped: 0 } };
}

const SHOWN = 64;

const seconds = (ns: Ns): string => `${Math.round(ns / 1e9)} s`;

function bridgeText({ setup, entries, ports }: BridgeSeen): string[] {
  const { name, stp, ageing, mtu, address } = setup;
  const rest = entries.length - SHOWN;
  return [
    `${name}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu ${mtu} stp ${stp ? 'on' : 'off'} ageing ${seconds(ageing)}`,
    `    link/ether ${ethernetText(ownEthernet(setup))} brd ff:ff:ff:ff:ff:ff`,
    ...(address === undefined ? [] : [`    inet ${address}`]),
    ...entries.slice(0, SHOWN).map((entry) => entryText(name, entry)),
    ...(rest > 0 ? [`and ${rest} more`] : []),
    ...ports.flatMap((port) => portText(setup, port)),
  ].map(onOneLine);
}

/** `bridge fdb show`, and how long ago. */
const entryText = (bridge: string, { mac, port, age }: EntrySeen): string =>
  `${mac} dev ${port} master ${bridge} ${age === undefined ? 'permanent' : `used ${(age / 1e9).toFixed(3)} s ago`}`;

const column = (value: number, width: number): string => `${value}`.padStart(width);

/** `ip -s link`. */
function portText({ name, mtu }: BridgeSetup, { ifname, ethernet, state, rx, tx }: PortSeen): string[] {
  const counts = ({ bytes, packets, errors, dropped }: Counted): string =>
    `    ${column(bytes, 10)} ${column(packets, 7)} ${column(errors, 6)} ${column(dropped, 7)}`;
  return [
    `${ifname}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu ${mtu} master ${name} state ${state}`,
    `    link/ether ${ethernet} brd ff:ff:ff:ff:ff:ff`,
    '    RX:  bytes packets errors dropped',
    counts(rx),
    '    TX:  bytes packets errors dropped',
    counts(tx),
  ];
}

export const BRIDGES = viewOf({
  usage: 'bridge',
  help: 'bridges of the modelled host: where they know addresses, what went through their ports',
  also: ['info bridge'],
  look: bridgesSeen,
  print: (bridges) =>
    bridges.length === 0 ? 'There is no bridge.' : bridges.flatMap((bridge) => bridgeText(bridge)).join('\n'),
});
