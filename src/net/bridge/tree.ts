/** The spanning tree protocol. IEEE 802.1D-1998, 8; Linux 6.1: br_stp.c, br_stp_timer.c, br_stp_if.c. */
import type { Ns } from '../../base/units.ts';
import { changeFrame, configFrame, type ConfigMessage, readMessage } from './bpdu.ts';
import { ifnameOf } from './evolve.ts';
import type { Bridge } from './local.ts';
import { type BridgeSetup, costOf, idOf, OWN_TIMES, ownEthernet, type Tree, type TreePort } from './state.ts';

/** Names of timers. Those of a port have its interface behind them. */
const TREE = { hello: 'hello', tcn: 'tcn', change: 'change' } as const;
const OF_PORT = { age: 'message-age', forward: 'forward-delay', hold: 'hold' } as const;

export const treeTimers = ({ interfaces }: BridgeSetup): readonly string[] => [
  ...Object.values(TREE),
  ...interfaces.flatMap((ifname) => Object.values(OF_PORT).map((timer) => `${timer} ${ifname}`)),
];

/** BR_HOLD_TIME: between two messages at a port. */
const HOLD: Ns = 1_000_000_000;
/** MESSAGE_AGE_INCR: what a message gets older by at each bridge. */
const AGES_BY: Ns = 8_000_000;

type Draft<T> = { -readonly [K in keyof T]: T[K] };

/** The tree as one step of the protocol finds it and leaves it: what has changed is told when it is over. */
interface Step {
  readonly bridge: Bridge;
  readonly tree: Draft<Tree>;
  readonly ports: Readonly<Record<string, Draft<TreePort>>>;
  /** The bridge's identifier. */
  readonly id: string;
}

const isRoot = ({ tree, id }: Step): boolean => tree.root === id;

/** A port's identifier: its priority, and its number. */
const numberOf = ({ bridge }: Step, ifname: string): number => 0x8000 + bridge.setup.interfaces.indexOf(ifname) + 1;

const portAt = ({ ports }: Step, ifname: string): Draft<TreePort> => ports[ifname]!;

function isDesignated(step: Step, ifname: string): boolean {
  const { designated, port } = portAt(step, ifname);
  return designated === step.id && port === numberOf(step, ifname);
}

const arm = ({ bridge: { effects } }: Step, timer: string, after: Ns): void => effects.arm(timer, effects.now + after);

const cancel = ({ bridge: { effects } }: Step, timer: string): void => effects.cancel(timer);

const isSame = <T extends object>(one: T, other: T): boolean =>
  Object.entries(one).every(([key, value]) => Reflect.get(other, key) === value);

function act(bridge: Bridge, what: (step: Step) => void): void {
  const { effects, setup, state } = bridge;
  const ports = Object.entries(state.ports).map(([ifname, port]): [string, Draft<TreePort>] => [ifname, { ...port }]);
  const step: Step = { bridge, tree: { ...state.tree! }, ports: Object.fromEntries(ports), id: idOf(setup) };
  what(step);
  for (const [ifname, port] of ports) {
    if (isSame(port, state.ports[ifname]!)) continue;
    effects.raise({ kind: 'sim:bridge_port', bridge: setup.name, ifname, ...port });
  }
  if (!isSame(step.tree, state.tree!)) effects.raise({ kind: 'sim:bridge_tree', bridge: setup.name, ...step.tree });
}

/** The bridge comes up, and its ports. br_stp_enable_bridge, br_stp_enable_port. */
export const startTree = (bridge: Bridge): void =>
  act(bridge, (step) => {
    arm(step, TREE.hello, step.tree.hello);
    for (const ifname of Object.keys(step.ports)) {
      becomeDesignated(step, ifname);
      portAt(step, ifname).state = 'blocking';
    }
    selectStates(step);
  });

/** One of its timers fired. */
export const expireTree = (bridge: Bridge, timer: string): void =>
  act(bridge, (step) => {
    const [what, ifname = ''] = timer.split(' ');
    if (what === TREE.hello) {
      generate(step);
      arm(step, TREE.hello, step.tree.hello);
    } else if (what === TREE.tcn) {
      if (isRoot(step)) return;
      transmitChange(step);
      arm(step, TREE.tcn, step.tree.hello);
    } else if (what === TREE.change) Object.assign(step.tree, { change: false, changeSeen: false });
    else if (what === OF_PORT.age) forget(step, ifname);
    else if (what === OF_PORT.forward) advance(step, ifname);
    else if (portAt(step, ifname).pending) transmit(step, ifname);
  });

/** A message has come in at a port. */
export function receiveMessage(bridge: Bridge, at: string, bytes: Uint8Array): void {
  const message = readMessage(bytes);
  const ifname = ifnameOf(at);
  if (message === undefined) return;
  act(bridge, (step) => (message === 'change' ? changeCame(step, ifname) : configCame(step, ifname, message)));
}

/** br_received_tcn_bpdu. */
function changeCame(step: Step, ifname: string): void {
  if (!isDesignated(step, ifname)) return;
  changed(step);
  portAt(step, ifname).ack = true;
  transmit(step, ifname);
}

/** br_received_config_bpdu. */
function configCame(step: Step, ifname: string, message: ConfigMessage): void {
  const { tree } = step;
  if (!supersedes(step, ifname, message)) {
    if (isDesignated(step, ifname)) transmit(step, ifname);
    return;
  }
  const wasRoot = isRoot(step);
  Object.assign(portAt(step, ifname), {
    ...{ root: message.root, cost: message.cost, designated: message.bridge, port: message.port },
    heard: step.bridge.effects.now - message.age,
  });
  arm(step, `${OF_PORT.age} ${ifname}`, message.maxAge - message.age);
  update(step);
  selectStates(step);
  if (wasRoot && !isRoot(step)) {
    cancel(step, TREE.hello);
    if (tree.changeSeen) {
      cancel(step, TREE.change);
      transmitChange(step);
      arm(step, TREE.tcn, tree.hello);
    }
  }
  if (tree.port !== ifname) return;
  const { maxAge, hello, forwardDelay, change } = message;
  Object.assign(tree, { maxAge, hello, forwardDelay, change });
  generate(step);
  if (!message.changeHeard) return;
  tree.changeSeen = false;
  cancel(step, TREE.tcn);
}

/** br_supersedes_port_info. Identifiers have all their digits: they compare as they stand. */
function supersedes(step: Step, ifname: string, { root, cost, bridge, port }: ConfigMessage): boolean {
  const known = portAt(step, ifname);
  if (root !== known.root) return root < known.root;
  if (cost !== known.cost) return cost < known.cost;
  if (bridge !== known.designated) return bridge < known.designated;
  return bridge !== step.id || port <= known.port;
}

/** What a port is told by nobody any more. br_message_age_timer_expired. */
function forget(step: Step, ifname: string): void {
  const wasRoot = isRoot(step);
  becomeDesignated(step, ifname);
  update(step);
  selectStates(step);
  if (!isRoot(step) || wasRoot) return;
  Object.assign(step.tree, OWN_TIMES);
  changed(step);
  cancel(step, TREE.tcn);
  generate(step);
  arm(step, TREE.hello, step.tree.hello);
}

/** br_forward_delay_timer_expired. */
function advance(step: Step, ifname: string): void {
  const port = portAt(step, ifname);
  if (port.state === 'listening') {
    port.state = 'learning';
    arm(step, `${OF_PORT.forward} ${ifname}`, step.tree.forwardDelay);
  } else if (port.state === 'learning') {
    port.state = 'forwarding';
    if (Object.values(step.ports).some(({ designated }) => designated === step.id)) changed(step);
  }
}

/** br_configuration_update. */
function update(step: Step): void {
  selectRoot(step);
  for (const ifname of Object.keys(step.ports)) if (shouldBeDesignated(step, ifname)) becomeDesignated(step, ifname);
}

/** br_root_selection. */
function selectRoot(step: Step): void {
  let best: string | undefined;
  for (const ifname of Object.keys(step.ports)) if (isBetterRoot(step, ifname, best)) best = ifname;
  const port = best === undefined ? undefined : portAt(step, best);
  const found = port === undefined ? { root: step.id, cost: 0 } : { root: port.root, cost: costAt(step, best!) };
  Object.assign(step.tree, { ...found, port: best ?? '' });
}

const costAt = (step: Step, ifname: string): number => portAt(step, ifname).cost + costOf(step.bridge.setup, ifname);

/** br_should_become_root_port. */
function isBetterRoot(step: Step, ifname: string, best: string | undefined): boolean {
  const port = portAt(step, ifname);
  if (isDesignated(step, ifname) || step.id <= port.root) return false;
  if (best === undefined) return true;
  const other = portAt(step, best);
  if (port.root !== other.root) return port.root < other.root;
  const [cost, least] = [costAt(step, ifname), costAt(step, best)];
  if (cost !== least) return cost < least;
  if (port.designated !== other.designated) return port.designated < other.designated;
  return port.port !== other.port ? port.port < other.port : numberOf(step, ifname) < numberOf(step, best);
}

/** br_should_become_designated_port. */
function shouldBeDesignated(step: Step, ifname: string): boolean {
  const port = portAt(step, ifname);
  const { root, cost } = step.tree;
  if (isDesignated(step, ifname) || port.root !== root) return true;
  if (cost !== port.cost) return cost < port.cost;
  if (step.id !== port.designated) return step.id < port.designated;
  return numberOf(step, ifname) < port.port;
}

function becomeDesignated(step: Step, ifname: string): void {
  const { root, cost } = step.tree;
  Object.assign(portAt(step, ifname), { root, cost, designated: step.id, port: numberOf(step, ifname) });
}

/** br_port_state_selection. */
function selectStates(step: Step): void {
  for (const [ifname, port] of Object.entries(step.ports)) {
    if (step.tree.port !== ifname && isDesignated(step, ifname)) {
      cancel(step, `${OF_PORT.age} ${ifname}`);
      open(step, ifname);
      continue;
    }
    Object.assign(port, { pending: false, ack: false });
    if (step.tree.port === ifname) open(step, ifname);
    else close(step, ifname);
  }
}

/** br_make_forwarding: on its way there. */
function open(step: Step, ifname: string): void {
  const port = portAt(step, ifname);
  if (port.state !== 'blocking') return;
  port.state = 'listening';
  arm(step, `${OF_PORT.forward} ${ifname}`, step.tree.forwardDelay);
}

/** br_make_blocking. */
function close(step: Step, ifname: string): void {
  const port = portAt(step, ifname);
  if (port.state === 'blocking') return;
  if (port.state !== 'listening') changed(step);
  port.state = 'blocking';
  cancel(step, `${OF_PORT.forward} ${ifname}`);
}

/** br_topology_change_detection. */
function changed(step: Step): void {
  const { tree } = step;
  if (isRoot(step)) {
    tree.change = true;
    arm(step, TREE.change, OWN_TIMES.forwardDelay + OWN_TIMES.maxAge);
  } else if (!tree.changeSeen) {
    transmitChange(step);
    arm(step, TREE.tcn, OWN_TIMES.hello);
  }
  tree.changeSeen = true;
}

/** br_config_bpdu_generation. */
function generate(step: Step): void {
  for (const ifname of Object.keys(step.ports)) if (isDesignated(step, ifname)) transmit(step, ifname);
}

/** br_transmit_config. */
function transmit(step: Step, ifname: string): void {
  const { bridge, tree } = step;
  const port = portAt(step, ifname);
  const hold = `${OF_PORT.hold} ${ifname}`;
  if (bridge.effects.deadline(hold) !== undefined) {
    port.pending = true;
    return;
  }
  const age = isRoot(step)
    ? 0
    : step.bridge.effects.now - (step.ports[tree.port]?.heard ?? step.bridge.effects.now) + AGES_BY;
  const { root, cost, maxAge, hello, forwardDelay, change } = tree;
  if (age >= maxAge) return;
  const said = { root, cost, bridge: step.id, port: numberOf(step, ifname), age, maxAge, hello, forwardDelay, change };
  send(step, ifname, configFrame(ownEthernet(bridge.setup, ifname), { ...said, changeHeard: port.ack }));
  Object.assign(port, { ack: false, pending: false });
  arm(step, hold, HOLD);
}

/** br_transmit_tcn. */
function transmitChange(step: Step): void {
  const { port } = step.tree;
  if (Object.hasOwn(step.ports, port)) send(step, port, changeFrame(ownEthernet(step.bridge.setup, port)));
}

function send({ bridge }: Step, ifname: string, frame: Uint8Array): void {
  const { effects, setup } = bridge;
  effects.sendAt(`${setup.name}/${ifname}`, frame, effects.now + Math.max(1, effects.travel(frame.length)));
}
