/** Messages of the spanning tree protocol as frames. IEEE 802.1D-1998, 9.3; Linux: br_send_config_bpdu. */
import type { Ns } from '../../base/units.ts';
import { buildEthernet, ETHERNET_HEADER } from '../../packets/ethernet.ts';
import { numberAt, putNumber } from '../../packets/layout.ts';

/** What a bridge says of the tree as it sees it. Times are nanoseconds; identifiers eight bytes, as digits. */
export interface ConfigMessage {
  readonly root: string;
  readonly cost: number;
  readonly bridge: string;
  readonly port: number;
  readonly age: Ns;
  readonly maxAge: Ns;
  readonly hello: Ns;
  readonly forwardDelay: Ns;
  readonly change: boolean;
  readonly changeHeard: boolean;
}

const GROUP = 0x0180_c200_0000;
/** Of IEEE 802.2: both service access points are those of bridges. */
const LLC = [0x42, 0x42, 0x03] as const;
const CONFIG = 0x00;
const CHANGE = 0x80;
const FLAG = { change: 0x01, changeHeard: 0x80 } as const;
const CONFIG_BYTES = 35;
const CHANGE_BYTES = 4;
/** Times are in units of a 256th of a second. */
const TICKS = 256;
const SECOND = 1_000_000_000;

const AT = { flags: 4, root: 5, cost: 13, bridge: 17, port: 25, age: 27, maxAge: 29, hello: 31, forwardDelay: 33 };

function framed(source: number, message: Uint8Array): Uint8Array {
  const payload = Uint8Array.of(...LLC, ...message);
  return buildEthernet({ destination: GROUP, source, type: payload.length, payload });
}

/** A bridge identifier's two halves: a priority and an address. */
function putId(bytes: Uint8Array, at: number, id: string): void {
  putNumber(bytes, at, 2, Number.parseInt(id.slice(0, 4), 16));
  putNumber(bytes, at + 2, 6, Number.parseInt(id.slice(4), 16));
}

const idAt = (bytes: Uint8Array, at: number): string =>
  numberAt(bytes, at, 2).toString(16).padStart(4, '0') +
  numberAt(bytes, at + 2, 6)
    .toString(16)
    .padStart(12, '0');

export function configFrame(source: number, message: ConfigMessage): Uint8Array {
  const bytes = new Uint8Array(CONFIG_BYTES);
  bytes[3] = CONFIG;
  bytes[AT.flags] = (message.change ? FLAG.change : 0) | (message.changeHeard ? FLAG.changeHeard : 0);
  putId(bytes, AT.root, message.root);
  putNumber(bytes, AT.cost, 4, message.cost);
  putId(bytes, AT.bridge, message.bridge);
  putNumber(bytes, AT.port, 2, message.port);
  for (const time of ['age', 'maxAge', 'hello', 'forwardDelay'] as const) {
    putNumber(bytes, AT[time], 2, Math.min(0xffff, Math.floor((message[time] * TICKS) / SECOND)));
  }
  return framed(source, bytes);
}

/** That the tree has changed. */
export function changeFrame(source: number): Uint8Array {
  const bytes = new Uint8Array(CHANGE_BYTES);
  bytes[3] = CHANGE;
  return framed(source, bytes);
}

/** A frame as a message: what it says, or that the tree has changed; undefined: it is none. br_stp_rcv. */
export function readMessage(frame: Uint8Array): ConfigMessage | 'change' | undefined {
  const message = frame.subarray(ETHERNET_HEADER + LLC.length);
  const isOurs = LLC.every((byte, at) => frame[ETHERNET_HEADER + at] === byte);
  if (!isOurs || message.length < CHANGE_BYTES || message[0] !== 0 || message[1] !== 0 || message[2] !== 0) {
    return undefined;
  }
  if (message[3] === CHANGE) return 'change';
  if (message[3] !== CONFIG || message.length < CONFIG_BYTES) return undefined;
  const time = (at: number): Ns => Math.floor((numberAt(message, at, 2) * SECOND) / TICKS);
  const flags = message[AT.flags]!;
  const read: ConfigMessage = {
    ...{ root: idAt(message, AT.root), cost: numberAt(message, AT.cost, 4) },
    ...{ bridge: idAt(message, AT.bridge), port: numberAt(message, AT.port, 2) },
    ...{ age: time(AT.age), maxAge: time(AT.maxAge), hello: time(AT.hello), forwardDelay: time(AT.forwardDelay) },
    ...{ change: (flags & FLAG.change) !== 0, changeHeard: (flags & FLAG.changeHeard) !== 0 },
  };
  // One that is older than it may be says nothing any more.
  return read.age > read.maxAge ? undefined : read;
}
