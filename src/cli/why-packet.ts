import type { Work } from '../base/work.ts';
import { statusOf } from '../host/terminal.ts';
import { packetPath, pathLines } from '../replay/packets/packet-path.ts';
import { lazyEvents } from '../replay/trace/lazy-events.ts';
import { type Leg, packetLegs } from '../runs/fabric/packet-legs.ts';
import { wiresOf } from '../runs/machine/wires-of.ts';
import { companyOf } from './company.ts';
import { attended } from './disk-opened.ts';
import { type MachineIn, oneMachineIn, WhoseLines } from './machines-in.ts';
import { symbolsIn } from './symbols-in.ts';
import type { Print } from './trace-commands.ts';

/** Which packet, and whose names its instruction has. */
export interface WhyOptions {
  readonly number: number;
  readonly symbols?: string | undefined;
}

const INTERRUPTED = statusOf('SIGINT');
const DAMAGED = 1;

/**
 * `retrovisor packets --why N`: a packet's way by the events alone, through all machines it was on. Resolves to the
 * process status.
 */
export async function whyPacket(path: string, { number, symbols }: WhyOptions, print: Print): Promise<number> {
  const names = symbolsIn(symbols);
  const company = companyOf(path);
  const machines = company?.machines ?? [oneMachineIn(path, '--why')];
  const runs = machines.map(readRun);
  const work = function* (): Work<Leg[]> {
    if (company !== undefined)
      return yield* packetLegs(runs, company.passages, { machine: company.at, packet: number });
    const { events, machine } = runs[0]!;
    return [{ machine: 0, path: yield* packetPath(events, number, machine), leftNs: undefined }];
  };
  const legs = await attended('Reading', work());
  if (legs === undefined) return INTERRUPTED;
  const whose = new WhoseLines(machines);
  // Symbols are those of the guest that was asked about.
  const nameOf = (at: number) => (address: bigint) => (at === (company?.at ?? 0) ? names.nameOf(address) : undefined);
  for (const { machine: at, path: way, leftNs } of legs) {
    const { events, machine } = runs[at]!;
    const lines = pathLines(way, { events: events.length, machine, nameOf: nameOf(at), leftNs });
    for (const line of lines) print(whose.line(at, line));
  }
  return runs.every(({ damage }) => damage === undefined) ? 0 : DAMAGED;
}

function readRun({ trace, description }: MachineIn) {
  const { events, damage } = lazyEvents(trace);
  return { events, damage, machine: { ...description, net: wiresOf(description) } };
}
