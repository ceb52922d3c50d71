import { SECTOR } from '../base/units.ts';
import type { Origin } from '../events/origin.ts';
import { Problem, shortly } from '../base/problem.ts';
import { FRAMES_INPUTS } from '../events/frames.ts';
import { USER_LIVE_INPUTS } from '../events/user-live.ts';
import type { NamedReceiver } from '../events/schema.ts';
import { type EventOf, receivingPart, VOCABULARY } from '../events/vocabulary.ts';
import { LONGEST_PAYLOAD } from '../memory/payloads.ts';
import { refusedDirtyRate } from '../vmm/dirty/refused.ts';
import { saidName } from '../vmm/config.ts';
import { MOST } from '../vmm/limits.ts';
import { refusedAnnouncement } from '../vmm/net/announcement.ts';
import { reducerOf } from '../vmm/models.ts';
import type { MachineContext } from './context.ts';
import { checkIntervention, intervene } from './intervene.ts';
import type { InputEvent } from './parts.ts';

/** What a receiver does. */
export type Receive = (context: MachineContext, event: InputEvent, origin: Origin) => void;

const nothing = (): void => undefined;

/**
 * A part of the machine for each receiver an input's row may name: what it does once the input has changed the state.
 * undefined: the machine does not notice.
 */
const RECEIVERS: { readonly [R in NamedReceiver]: Receive | undefined } = {
  /** `sim:powered_on`, which is how a machine begins. */
  machine: nothing,
  'reset button': ({ vmm }, _event, origin) => vmm.pressReset(origin),
  'wake-up button': ({ vmm }, _event, origin) => vmm.wakeUp(origin),
  'NMI button': ({ vmm }, _event, origin) => vmm.pressNmi(origin),
  'block layer': ({ vmm }, event, origin) => {
    if (event.kind === 'sim:drive_size_set') vmm.resizeDrive(event.drive, event.sectors, origin);
  },
  network: ({ vmm }, event, origin) => {
    if (event.kind === 'sim:link_set') vmm.setLink(event.client, event.up, origin);
    if (event.kind === 'sim:announce_asked') vmm.announce(event.id, origin);
  },
  'dirty log': ({ vmm }, _event, origin) => vmm.measureDirtyRate(origin),
  'continue button': ({ vmm }, _event, origin) => vmm.goOn(origin),
  debugger: (context, event, origin) => {
    if (event.kind === 'sim:intervened') intervene(context, event.what, event.value, origin);
  },
  /** The run is another from here on; the machine is the same. */
  timeline: undefined,
  /** The end is in the state. */
  recorder: nothing,
};

const device: Receive = ({ vmm }, event, origin) => {
  const part = receivingPart(event);
  if (part !== undefined) vmm.receive(part, event, origin);
};

/** Who receives an input, as its row says; undefined: the machine does not notice. */
export function receiverOf(event: InputEvent): Receive | undefined {
  const { receiver } = VOCABULARY[event.kind];
  return typeof receiver === 'string' ? RECEIVERS[receiver] : device;
}

/** Refuse what no part of the machine could take, before it is put on record. */
export function checkInput(context: MachineContext, event: InputEvent): void {
  if (event.kind === 'sim:intervened') checkIntervention(context, event.what, event.value);
  if (event.kind === 'sim:drive_size_set') checkSize(context, event);
  if (event.kind === 'sim:link_set') checkClient(context, event);
  if (event.kind === 'sim:announce_asked') checkAnnouncement(context, event);
  if (event.kind === 'sim:dirty_rate_asked') checkMeasurement(context, event);
  if (event.kind === 'sim:payload_received') checkPayload(context, event);
  if (event.kind in USER_LIVE_INPUTS) checkSocket(context, event);
  if (event.kind in FRAMES_INPUTS) checkCarrier(context, event);
  if (event.kind === 'sim:chardev_received' && !context.state.config.parts.some(({ name }) => name === event.dev)) {
    throw new Problem(`There is no device ${shortly(event.dev)} to type at.`);
  }
}

/** Sockets of the host are a user network's. */
function checkSocket({ state: { config } }: MachineContext, event: InputEvent): void {
  const dev = receivingPart(event) ?? '';
  const part = config.parts.find(({ name }) => name === dev);
  if (part?.model !== 'user')
    throw new Problem(`There is no user network ${shortly(dev)} that a socket could speak to.`);
}

/** What becomes of a wire outside concerns a network whose wire goes on there. */
function checkCarrier({ state: { config } }: MachineContext, event: InputEvent): void {
  const dev = receivingPart(event) ?? '';
  const part = config.parts.find(({ name }) => name === dev);
  if (part === undefined || reducerOf(part).facts?.['sim:carrier_set'] === undefined)
    throw new Problem(`There is no network ${shortly(dev)} whose wire goes on outside.`);
}

function checkSize({ state }: MachineContext, { drive: id, sectors }: EventOf<'sim:drive_size_set'>): void {
  const drive = state.config.drives?.find((each) => each.id === id);
  if (drive === undefined) throw new Problem(`There is no drive ${shortly(id)} to resize.`);
  if (drive.readOnly) throw new Problem(`The drive ${id} is read-only: its size stays what it is.`);
  if (sectors < 1 || sectors > MOST.driveBytes / SECTOR) {
    throw new Problem(`A drive has 1 to ${MOST.driveBytes / SECTOR} sectors of 512 bytes, not ${sectors}.`);
  }
}

function checkClient({ state: { config } }: MachineContext, { client }: EventOf<'sim:link_set'>): void {
  const { net = [] } = config;
  const names = [...new Set(net.map(saidName))];
  if (names.includes(client)) return;
  const known = names.join(', ');
  const there = known === '' ? 'There is none.' : `There are ${known}.`;
  throw new Problem(`There is no net client ${shortly(client)}. ${there}`);
}

function checkAnnouncement({ state }: MachineContext, asked: EventOf<'sim:announce_asked'>): void {
  const why = refusedAnnouncement(state.config, state.vmm.net, asked);
  if (why !== undefined) throw new Problem(why);
}

function checkMeasurement({ state }: MachineContext, { seconds }: EventOf<'sim:dirty_rate_asked'>): void {
  const why = refusedDirtyRate(state.vmm.dirty, seconds);
  if (why !== undefined) throw new Problem(why);
}

const SHA256 = /^[0-9a-f]{64}$/;

function checkPayload({ state }: MachineContext, { dev, sha256, len }: EventOf<'sim:payload_received'>): void {
  const part = state.config.parts.find(({ name }) => name === dev);
  if (part === undefined) throw new Problem(`There is no device ${shortly(dev)} to receive a payload.`);
  if (reducerOf(part).facts?.['sim:payload_received'] === undefined) {
    throw new Problem(`${dev} is a device that receives no payloads.`);
  }
  if (!SHA256.test(sha256)) throw new Problem(`No payload is named ${shortly(sha256)}: that is no SHA-256.`);
  if (len > LONGEST_PAYLOAD) throw new Problem(`The payload ${sha256} is longer than ${LONGEST_PAYLOAD} bytes.`);
}
