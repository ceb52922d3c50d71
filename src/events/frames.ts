import { fact, input, toPart } from './schema.ts';

/** Of a backend `dev` whose wire goes on outside the machine. */
const OF_BACKEND = { dev: 'text' } as const;

/** What such a backend does with frames. Nobody outside answers but by an input. */
export const FRAMES_FACTS = {
  /** A packet of the machine's goes outside: `sim:packet_sent` has its bytes. */
  'sim:frame_left': fact({ ...OF_BACKEND, packet: 'u' }, (e) => `dev ${e.dev} packet ${e.packet}`),
  /**
   * The one that leaves next takes so many nanoseconds more than its cable's latency. free: when the cable is free
   * again; 0: none waits for another there.
   */
  'sim:frame_delayed': fact(
    { ...OF_BACKEND, packet: 'u', by: 'u', free: 'u' },
    (e) => `dev ${e.dev} packet ${e.packet} by ${e.by} ns`,
  ),
  /** One leaves a second time. */
  'sim:frame_doubled': fact({ ...OF_BACKEND, packet: 'u' }, (e) => `dev ${e.dev} packet ${e.packet}`),
  /** One from outside waits for who it is for. No more are wanted until it is taken. */
  'sim:frame_held': fact(OF_BACKEND, (e) => `dev ${e.dev}`),
  /** One that waited has been taken. */
  'sim:frame_taken': fact(OF_BACKEND, (e) => `dev ${e.dev}`),
  /** One from outside is gone before it was a packet. */
  'sim:frame_refused': fact({ ...OF_BACKEND, len: 'u', why: 'text' }, (e) => `dev ${e.dev} ${e.len} bytes: ${e.why}`),
} as const;

/** What the outside says beside `sim:frame_received`. */
export const FRAMES_INPUTS = {
  /** Somebody is at the other end, or nobody any more: why. info: what the monitor says of it. */
  'sim:carrier_set': input(
    { ...OF_BACKEND, up: 'bool', info: 'text', why: 'text' },
    (e) => `dev ${e.dev} ${e.up ? 'on' : 'off'} ${e.why}`,
    toPart('', 'dev'),
  ),
  /** Who is at the other end takes no more for now, or does again. */
  'sim:frames_stalled': input(
    { ...OF_BACKEND, stalled: 'bool' },
    (e) => `dev ${e.dev} ${e.stalled ? 'on' : 'off'}`,
    toPart('', 'dev'),
  ),
} as const;
