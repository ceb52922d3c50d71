import type { Draft } from '../../base/draft.ts';
import { QUEUE_SIZE, REPLY } from './registers.ts';
import { mouseAtReset, type Ps2Mouse } from './state.ts';

type Mouse = Draft<Ps2Mouse>;

/** Commands to the mouse. IBM PS/2 Technical Reference, mouse. */
const COMMAND = {
  scale1: 0xe6,
  scale2: 0xe7,
  setResolution: 0xe8,
  status: 0xe9,
  stream: 0xea,
  poll: 0xeb,
  endWrap: 0xec,
  wrap: 0xee,
  remote: 0xf0,
  identify: 0xf2,
  setRate: 0xf3,
  enable: 0xf4,
  disable: 0xf5,
  defaults: 0xf6,
  reset: 0xff,
} as const;

const ACK = REPLY.acknowledge;

/** 4 counts a millimetre, 100 reports a second. */
const DEFAULTS = { resolution: 2, sampleRate: 100 } as const;

/** A byte from the host. Replies queue behind what was not read yet; what finds no room is lost. */
export function commandMouse(mouse: Mouse, byte: number): void {
  const answer = answerTo(mouse, byte);
  if (mouse.queue.length + answer.length <= QUEUE_SIZE) mouse.queue.push(...answer);
}

function answerTo(mouse: Mouse, byte: number): number[] {
  if (mouse.expecting >= 0) return takeParameter(mouse, byte);
  if (mouse.wrap && byte !== COMMAND.reset) {
    mouse.wrap = byte !== COMMAND.endWrap;
    return mouse.wrap ? [byte] : [ACK];
  }
  return replies(mouse, byte);
}

function replies(mouse: Mouse, byte: number): number[] {
  switch (byte) {
    case COMMAND.scale1:
    case COMMAND.scale2:
      mouse.doubled = byte === COMMAND.scale2;
      return [ACK];
    case COMMAND.stream:
    case COMMAND.remote:
      mouse.remote = byte === COMMAND.remote;
      return [ACK];
    case COMMAND.wrap:
      mouse.wrap = true;
      return [ACK];
    case COMMAND.identify:
      return [ACK, mouse.type];
    case COMMAND.setResolution:
    case COMMAND.setRate:
      mouse.expecting = byte;
      return [ACK];
    case COMMAND.status:
      return [ACK, statusByte(mouse), mouse.resolution, mouse.sampleRate];
    case COMMAND.poll:
      return [ACK, 0x08, 0, 0, ...(mouse.type === 0 ? [] : [0])];
    case COMMAND.enable:
    case COMMAND.disable:
      mouse.enabled = byte === COMMAND.enable;
      return [ACK];
    case COMMAND.defaults:
      Object.assign(mouse, mouseAtReset(), DEFAULTS, { type: mouse.type, queue: mouse.queue });
      return [ACK];
    case COMMAND.reset:
      // QEMU's mouse stays in wrap mode.
      Object.assign(mouse, mouseAtReset(), DEFAULTS, { wrap: mouse.wrap });
      return [ACK, REPLY.testPassed, mouse.type];
    default:
      return [];
  }
}

const statusByte = (mouse: Mouse): number =>
  (mouse.remote ? 0x40 : 0) | (mouse.enabled ? 0x20 : 0) | (mouse.doubled ? 0x10 : 0);

/** The sample rates 200, 100, 80 turn on the wheel, 200, 200, 80 the fourth and fifth button. */
function takeParameter(mouse: Mouse, byte: number): number[] {
  const command = mouse.expecting;
  mouse.expecting = -1;
  if (command === COMMAND.setResolution) {
    mouse.resolution = byte;
    return [ACK];
  }
  mouse.sampleRate = byte;
  mouse.lastRates = [...mouse.lastRates.slice(-2), byte];
  const knock = mouse.lastRates.join();
  if (knock === '200,100,80') mouse.type = 3;
  if (knock === '200,200,80') mouse.type = 4;
  return [ACK];
}
