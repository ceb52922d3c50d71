import { statusOf } from '../host/terminal.ts';
import { packetPath, pathLines } from '../replay/packets/packet-path.ts';
import { lazyEvents } from '../replay/trace/lazy-events.ts';
import { readDescription } from '../runs/machine/machine-description.ts';
import { wiresOf } from '../runs/machine/wires-of.ts';
import { attended } from './disk-opened.ts';
import { symbolsIn } from './symbols-in.ts';
import { openToLook, type Print } from './trace-commands.ts';

/** Which packet, and whose names its instruction has. */
export interface WhyOptions {
  readonly number: number;
  readonly symbols?: string | undefined;
}

const INTERRUPTED = statusOf('SIGINT');
const DAMAGED = 1;

/** `retrovisor packets --why N`: a packet's way by the events alone. Resolves to the process status. */
export async function whyPacket(path: string, { number, symbols }: WhyOptions, print: Print): Promise<number> {
  const names = symbolsIn(symbols);
  const trace = openToLook(path);
  const description = readDescription(trace.header.machine, path);
  const machine = { ...description, net: wiresOf(description) };
  const { events, damage } = lazyEvents(trace);
  const way = await attended('Reading', packetPath(events, number, machine));
  if (way === undefined) return INTERRUPTED;
  const setting = { events: events.length, machine, nameOf: (address: bigint) => names.nameOf(address) };
  for (const line of pathLines(way, setting)) print(line);
  return damage === undefined ? 0 : DAMAGED;
}
