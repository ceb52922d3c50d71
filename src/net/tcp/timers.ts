/** What becomes due, as time goes by: one timer of the device's for all connections. */
import type { Ns } from '../../base/units.ts';
import type { UserNet } from '../user/part.ts';
import { makeCalls, nextCall } from '../world/calls.ts';
import { close } from './close.ts';
import type { Connection } from './connection.ts';
import { output, reset } from './output.ts';

/** Names of the device's timers that are TCP's: of connections, and of the hosts' own undertakings. */
export const TCP_TIMERS = ['tcp', 'world'] as const;

type TimerName = (typeof TCP_TIMERS)[number];

/** What a connection waits for, in the order in which those due at once are seen to. */
const WAITS = ['resend', 'probe', 'acknowledge', 'end'] as const;

type Wait = (typeof WAITS)[number];

const dueOf = (connection: Connection, wait: Wait): Ns | undefined => connection[`${wait}At`];

/** So often nothing comes back before a connection is given up: slirp's TCP_MAXRXTSHIFT. */
const MOST_TRIES = 12;

/** So long a guest may be asked for its window without a word: slirp's TCP_MAXIDLE. Nanoseconds. */
const MOST_SILENCE = 600_000_000_000;

/** Nothing comes back, however often something is sent. */
const isGivenUp = ({ tries, heardAt }: Connection, wait: Wait, now: Ns): boolean =>
  (wait === 'resend' && tries >= MOST_TRIES) || (wait === 'probe' && now - heardAt > MOST_SILENCE);

function earliest(net: UserNet): Ns | undefined {
  const { connections } = net.state.tcp;
  let first: Ns | undefined;
  for (const id in connections) {
    for (const wait of WAITS) {
      const due = dueOf(connections[id]!, wait);
      if (due !== undefined && (first === undefined || due < first)) first = due;
    }
  }
  return first;
}

/**
 * Arm the timer where something is due before it fires. One that fires too early looks again: most waits are put off by
 * each segment, and seldom end.
 */
export function rearm(net: UserNet): void {
  armFor(net, 'tcp', earliest(net));
  armFor(net, 'world', nextCall(net));
}

function armFor({ effects }: UserNet, timer: TimerName, due: Ns | undefined): void {
  const armed = effects.deadline(timer);
  if (due === undefined) {
    if (armed !== undefined) effects.cancel(timer);
  } else if (armed === undefined || due < armed) {
    effects.arm(timer, due);
  }
}

/** The timer fired: whatever is due is seen to. */
export function expire(net: UserNet, timer: string): void {
  if (timer === 'world') makeCalls(net);
  else seeTo(net);
  rearm(net);
}

function seeTo(net: UserNet): void {
  for (const id of Object.keys(net.state.tcp.connections).map(Number)) {
    for (const wait of WAITS) {
      const connection = net.state.tcp.connections[id];
      const due = connection === undefined ? undefined : dueOf(connection, wait);
      if (due !== undefined && due <= net.effects.now) isUp(net, id, wait);
    }
  }
}

function isUp(net: UserNet, id: number, wait: Wait): void {
  const { effects } = net;
  const connection = net.state.tcp.connections[id]!;
  if (wait === 'end') {
    close(net, id, connection.phase === 'time-wait' ? 'done' : `nothing heard in ${connection.phase}`);
  } else if (isGivenUp(connection, wait, effects.now)) {
    reset(net, connection);
    close(net, id, 'nothing comes back');
  } else {
    effects.raise({ kind: 'sim:tcp_timeout', dev: effects.name, connection: id, timer: wait, at: effects.now });
    output(net, id, wait === 'probe' ? 'probe' : 'usual');
  }
}
