import type { Work } from '../base/work.ts';
import { statusOf } from '../host/terminal.ts';
import { EITHER_FIELDS, FLOW_FIELDS, OWN_FIELDS, PROTOCOLS } from '../packets/dissect/fields-table.ts';
import { packetCondition } from '../replay/packets/packet-condition.ts';
import { tellsOfPackets } from '../replay/packets/packet-reader.ts';
import { asUsage } from '../options/usage.ts';
import { attended } from './disk-opened.ts';
import { followPackets } from './follow-packets.ts';
import { type MachineIn, machinesIn, SoundMachines, WhoseLines } from './machines-in.ts';
import { type PacketsForm, PIECE, type Printing, readerOf, ShownPackets } from './shown-packets.ts';
import type { Print } from './trace-commands.ts';

const INTERRUPTED = statusOf('SIGINT');

/** `retrovisor packets`: a line a packet. Resolves to the process status. */
export async function printPackets(path: string, form: PacketsForm, printing: Printing): Promise<number> {
  const isWanted = form.condition === undefined ? () => true : asUsage(() => packetCondition(form.condition!));
  const shownOf = (machines: readonly Pick<MachineIn, 'name'>[]): ShownPackets =>
    new ShownPackets(form, { isWanted, print: printing.print, whose: new WhoseLines(machines) });
  if (form.follow === true) return await followPackets(path, shownOf, printing);
  const machines = machinesIn(path);
  return await readAll(machines, shownOf(machines));
}

/** Who sees lines come needs no progress between them. */
const seesLines = (): boolean => process.stdout.isTTY === true || process.env['COLUMNS'] !== undefined;

async function readAll(machines: readonly MachineIn[], shown: ShownPackets): Promise<number> {
  const readers = machines.map(({ description }) => readerOf(description));
  const work = function* (): Work<{ readonly status: number }> {
    const sound = new SoundMachines(machines, tellsOfPackets);
    let told = 0;
    for (const { machine, stamped } of sound.byClock()) {
      const packet = readers[machine]!.next(stamped);
      if (packet !== undefined) shown.take(packet, machine);
      if (shown.isFull) break;
      told += 1;
      if (told % PIECE === 0) yield stamped.seq / machines[machine]!.trace.eventCount;
    }
    return { status: sound.status };
  };
  const done = await attended(seesLines() ? undefined : 'Reading', work());
  return done === undefined ? INTERRUPTED : done.status;
}

/** `retrovisor packets --fields`: what a condition may name. */
export function printFields(print: Print): void {
  const rows = [
    ...Object.entries({ ...OWN_FIELDS, ...FLOW_FIELDS }).map(([name, { type, help }]) => [name, type, help] as const),
    ...Object.entries(EITHER_FIELDS).map(([name, all]) => [name, 'any', `${all.join(' or ')}`] as const),
    ...PROTOCOLS.map((name) => [name, 'flag', 'the packet has such a header'] as const),
    ['packet', 'number', 'its number, for `why packet:N`'] as const,
    ['client', 'text', 'who sent it'] as const,
    ['peer', 'text', 'who is at the other end of the wire'] as const,
    ['seq, tick, ns', 'number', 'event, instruction and virtual time at which it was sent'] as const,
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, type, help] of rows) print(`${name.padEnd(width)}  ${type.padEnd(7)}  ${help}`);
}
