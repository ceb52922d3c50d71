/** A network card at work, and what a script sees of it. */
import { Driver, type DriverOptions, type Piece, type Queue } from '../driver.ts';
import { frame, hexOf, MAC, PEER, wireLine } from '../frames.ts';
import { bytesOf, type Guest, hex, type Say } from '../guest.ts';

/** All that is offered, without EVENT_IDX and INDIRECT. */
export const NET_FEATURES = 0x0fbf_8024;
export const MERGEABLE = 2 ** 15;

export interface NetWork {
  readonly guest: Guest;
  readonly say: Say;
  readonly driver: Driver;
  readonly rx: Queue;
  readonly tx: Queue;
  readonly control: Queue | undefined;
  /** Bytes before a frame. */
  readonly header: number;
  /** Memory for frames on their way out, and for what comes in. */
  readonly out: number;
  readonly into: number;
}

const ROOM = 0x2_0000;

/** Up to DRIVER_OK, or shortly before. */
export async function netAtWork(guest: Guest, say: Say, options: DriverOptions, isReady = true): Promise<NetWork> {
  const driver = new Driver(guest, { vectors: 4, ...options });
  await driver.place();
  const features = await driver.begin();
  const rx = await driver.queue(0, undefined, 1);
  const tx = await driver.queue(1, undefined, 2);
  const control = (features & (2 ** 17)) === 0 ? undefined : await driver.queue(2, undefined, 3);
  if (isReady) await driver.ready();
  say(`features ${hex(features)} status ${await driver.status()}`);
  const header = options.isModern || (features & MERGEABLE) !== 0 ? 12 : 10;
  const out = driver.alloc(ROOM);
  return { guest, say, driver, rx, tx, control, header, out, into: driver.alloc(ROOM) };
}

/** Interrupts since they were looked at last. */
export async function signals({ driver }: NetWork): Promise<string> {
  const isr = `isr ${await driver.isr()}`;
  return driver.options.hasMsix ? `${isr} ${await driver.messages()}`.trim() : isr;
}

/** A queue, the status, interrupts, the wire, and what QEMU complains of. */
export async function told(work: NetWork, name: string, queue: Queue): Promise<void> {
  const { guest, say, driver } = work;
  const state = `status ${await driver.status()} ${await queue.state(false)} ${await signals(work)}`;
  say(`${name}: ${state} wire ${wireLine(await guest.wire())}`);
  said(work);
}

/** Complaints, but for that of a host that has no eBPF for it. */
function said({ guest, say }: NetWork): void {
  for (const line of guest.said()) if (!line.includes('eBPF')) say(`   says ${line}`);
}

/** A header and a frame of so many bytes lie ready. */
export async function putFrame({ guest, header, out }: NetWork, length: number, offset = 0): Promise<number> {
  const whole = new Uint8Array(header + length);
  whole.set(frame(PEER, MAC, length), header);
  await guest.poke(out + offset, whole);
  return whole.length;
}

/** Frames go out, by these pieces. */
export async function sends(work: NetWork, name: string, pieces: readonly Piece[]): Promise<void> {
  await work.tx.add(pieces);
  await work.tx.kick();
  await told(work, `TX ${name}`, work.tx);
}

/** Room for frames, filled with something else; each buffer of these pieces. Returns where each begins. */
export async function offers(work: NetWork, buffers: readonly (readonly number[])[]): Promise<number[]> {
  const places: number[] = [];
  let at = work.into;
  for (const lengths of buffers) {
    places.push(at);
    const pieces: Piece[] = [];
    for (const length of lengths) {
      await work.guest.poke(at, new Uint8Array(Math.min(length, 64)).fill(0xee));
      pieces.push([at, length, true]);
      at += length;
    }
    await work.rx.add(pieces);
  }
  await work.rx.kick();
  return places;
}

/** A frame comes. */
export async function comes(work: NetWork, name: string, bytes: Uint8Array): Promise<void> {
  await work.guest.send(bytes);
  await told(work, `RX ${name}`, work.rx);
}

export const start = async ({ guest }: NetWork, at: number, length: number): Promise<string> =>
  hexOf(await guest.peek(at, length));

const ANSWER = 0x1_0000;

/** A command of the control queue, in these pieces: where none is said, class and command, data, answer. */
export async function commands(
  work: NetWork,
  name: string,
  bytes: ArrayLike<number>,
  pieces?: (at: number, answer: number) => readonly Piece[],
): Promise<void> {
  const { guest, say, out, control } = work;
  if (control === undefined) return;
  const answer = out + ANSWER;
  await guest.poke(out, Uint8Array.from(bytes));
  await guest.write(answer, 1, 0xee);
  const rest: Piece[] = bytes.length > 2 ? [[out + 2, bytes.length - 2, false]] : [];
  await control.add(pieces?.(out, answer) ?? [[out, 2, false], ...rest, [answer, 1, true]]);
  await control.kick();
  await told(work, `CTRL ${name}`, control);
  say(`   ack ${hex(await guest.read(answer, 1), 2)}`);
}

export const words = (value: number, size: number): number[] => [...bytesOf(value, size)];
