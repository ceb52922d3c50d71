/** Hosts that connect to the guest, and what they do with their connections. */
import type { Ns } from '../../base/units.ts';
import { type Connection, MOST_CONNECTIONS } from '../tcp/connection.ts';
import { output } from '../tcp/output.ts';
import { nextFirst } from '../tcp/state.ts';
import type { UserNet } from '../user/part.ts';
import type { ScriptState } from './app-state.ts';
import { mssOnWay } from './link.ts';
import { bytesOf, say } from './say.ts';
import { addressOf, type Call, callsOf, type Host, type Step } from './world.ts';

/** When the next call is made, or a wait is over; undefined: neither. */
export function nextCall({ state }: UserNet): Ns | undefined {
  const dues = [...state.world.calls, ...Object.values(state.tcp.connections).map(waitOf)];
  return dues.reduce(
    (first, due) => (due !== undefined && (first === undefined || due < first) ? due : first),
    undefined,
  );
}

const waitOf = ({ app }: Connection): Ns | undefined => (app.kind === 'script' ? app.waitsUntil : undefined);

/** Make the calls whose time has come, and end the waits. */
export function makeCalls(net: UserNet): void {
  const { effects, state } = net;
  const calls = callsOf(net.setup.world);
  for (const [number, due] of state.world.calls.entries()) {
    const made = calls[number];
    if (made !== undefined && due !== undefined && due <= effects.now) make(net, number, made.host, made.call);
  }
  for (const id of Object.keys(net.state.tcp.connections).map(Number)) {
    const connection = net.state.tcp.connections[id];
    const due = connection === undefined ? undefined : waitOf(connection);
    if (due === undefined || due > effects.now) continue;
    goOn(net, id);
    output(net, id);
  }
}

const FIRST_PORT = 49_152;
const PORTS = 16_384;

/** The same family as the guest's. */
const callerOf = ({ addresses }: Host, guest: number | bigint): string | undefined =>
  addresses.find((text) => typeof addressOf(text) === typeof guest);

function make(net: UserNet, number: number, host: Host, call: Call): void {
  const { effects } = net;
  const { tcp } = net.state;
  const guest = addressOf(call.to);
  const caller = callerOf(host, guest);
  effects.raise({ kind: 'sim:call_made', dev: effects.name, call: number });
  if (caller === undefined || Object.keys(tcp.connections).length >= MOST_CONNECTIONS) {
    callFailed(net, number);
    return;
  }
  const id = tcp.opened + 1;
  const offers = mssOnWay(net, addressOf(caller));
  effects.raise({
    ...{ kind: 'sim:tcp_opened', dev: effects.name, connection: id, active: true, service: `call ${number}` },
    ...{ guest: call.to, guest_port: call.port, host: caller, host_port: FIRST_PORT + (id % PORTS) },
    ...{ first: nextFirst(tcp, effects.now), guest_first: 0, tos: 0, stall: 0, at: effects.now },
    ...{ mss: offers, offers },
  });
  output(net, id);
}

/** Nobody took a call: it is made again if it says so. */
export function callFailed({ effects, setup }: UserNet, call: number): void {
  const retry = callsOf(setup.world)[call]?.call.retry;
  const next = retry === undefined ? 0 : effects.now + Math.max(retry, 1);
  effects.raise({ kind: 'sim:call_failed', dev: effects.name, call, next });
}

/** Take the steps of a call that can be taken now. */
export function goOn(net: UserNet, id: number): void {
  for (;;) {
    const connection = net.state.tcp.connections[id];
    if (connection?.app.kind !== 'script') return;
    if (connection.phase !== 'established' && connection.phase !== 'close-wait') return;
    const steps = callsOf(net.setup.world)[connection.app.call]?.call.steps ?? [];
    const step: Step = steps[connection.app.step] ?? { do: 'close' };
    if (!take(net, id, connection.app, step)) return;
  }
}

/** Whether the step is done. */
function take(net: UserNet, id: number, app: ScriptState, step: Step): boolean {
  switch (step.do) {
    case 'send':
      say(net, id, bytesOf(step.text), false);
      goTo(net, id, { step: app.step + 1, used: 0, until: 0 });
      return true;
    case 'expect': {
      const at = app.heard.indexOf(step.text);
      if (at >= 0) goTo(net, id, { step: app.step + 1, used: at + step.text.length, until: 0 });
      return at >= 0;
    }
    case 'wait':
      return waits(net, id, app, step.for);
    default:
      say(net, id, bytesOf(''), true);
      return false;
  }
}

function waits(net: UserNet, id: number, { step, waitsUntil }: ScriptState, time: Ns): boolean {
  const { now } = net.effects;
  const isOver = waitsUntil !== undefined && now >= waitsUntil;
  if (isOver) goTo(net, id, { step: step + 1, used: 0, until: 0 });
  else if (waitsUntil === undefined) goTo(net, id, { step, used: 0, until: now + Math.max(time, 1) });
  return isOver;
}

interface Place {
  readonly step: number;
  readonly used: number;
  readonly until: number;
}

function goTo({ effects }: UserNet, connection: number, place: Place): void {
  effects.raise({ kind: 'sim:call_went_on', dev: effects.name, connection, ...place });
}
