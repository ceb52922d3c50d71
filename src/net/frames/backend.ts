/** The end of a wire that goes on outside the machine. QEMU 7.2: net/stream.c, net/dgram.c, net/socket.c. */
import type { Device, Effects, Packet } from '../../devices/device.ts';
import { hasBadHeader } from '../../packets/offload.ts';
import { padded } from '../padded.ts';
import { type FramesState, LONGEST_FRAME, MOST_HELD } from './state.ts';

/** Why a frame from outside is lost; undefined: it is a packet. */
function unfit({ isUp, held }: FramesState, { length }: Uint8Array): string | undefined {
  if (!isUp) return 'nobody sent it';
  if (length === 0) return 'empty';
  if (length > LONGEST_FRAME) return 'too long';
  return held >= MOST_HELD ? 'too many wait' : undefined;
}

/** One has come: it goes on, or waits for who it is for. */
function receiveFrame(
  state: FramesState,
  effects: Effects,
  { bytes, header }: Pick<Packet, 'bytes' | 'header'>,
  pads: boolean,
): void {
  const { name: dev } = effects;
  const why = unfit(state, bytes) ?? (hasBadHeader(bytes, header) ? 'bad header' : undefined);
  const frame = pads ? padded(bytes, effects) : bytes;
  if (why !== undefined) effects.raise({ kind: 'sim:frame_refused', dev, len: bytes.length, why });
  else if (!effects.sendPacket(frame, undefined, header)) effects.raise({ kind: 'sim:frame_held', dev });
}

/** How a frame goes outside: by a fact that it left, or by one that says why it did not. */
export type Leave = (state: FramesState, packet: Packet, effects: Effects) => void;

const leaveAtOnce: Leave = (_state, { number }, effects) =>
  effects.raise({ kind: 'sim:frame_left', dev: effects.name, packet: number });

/** How a backend is, whose wire goes on outside. */
export interface FramesWays {
  /** Frames that come are made as long as a wire's. */
  readonly pads?: boolean;
  /** Packets leave with what is left to be done to them. */
  readonly takesHeaders?: boolean;
  /** How they leave, if not at once. */
  readonly leave?: Leave;
}

/** Who carries frames is outside: the backend tells of those that leave, and hears of those that come. */
export const framesBackend = (
  model: string,
  { pads = false, takesHeaders = false, leave = leaveAtOnce }: FramesWays = {},
): Device<FramesState> => ({
  model,
  takesHeaders,
  takesShort: takesHeaders,
  regions: [],
  pins: [],
  read: () => 0,
  canReceive: ({ isStalled }) => !isStalled,
  receivePacket(state, packet, effects) {
    effects.commit();
    if (state.isUp) leave(state, packet, effects);
    else effects.dropPacket(packet, 'nobody is at the other end');
    return true;
  },
  packetSent: (_state, effects) => effects.raise({ kind: 'sim:frame_taken', dev: effects.name }),
  receive(state, effects, input) {
    if (input.kind === 'sim:frame_received') receiveFrame(state, effects, { bytes: input.bytes }, pads);
    else if (input.kind === 'sim:packet_received') receiveFrame(state, effects, input, pads);
    else if (!state.isStalled) effects.takePackets();
  },
  describe: ({ isUp, info, isStalled, held, left, refused }) => ({
    carrier: isUp ? 'on' : 'off',
    info,
    stalled: isStalled ? 'yes' : 'no',
    waiting: `${held} frames`,
    left: `${left} frames`,
    refused: `${refused} frames`,
  }),
});
