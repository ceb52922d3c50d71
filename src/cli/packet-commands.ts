/** `packets` and `export`: what went over the wires of a machine. */
import { type Command, Option } from 'commander';
import { wholeNumber } from '../options/qemu-values.ts';
import { UsageProblem } from '../options/usage.ts';
import type { Outcome } from './outcome.ts';
import { shownWidth } from './shown-width.ts';

const FURTHEST = Number.MAX_SAFE_INTEGER;

/** Add the commands that look at packets. */
export function addPackets(program: Command, { print, flush, done }: Outcome): void {
  program
    .command('packets [file]')
    .description('a line a packet of its network cards: number, virtual time, event, who to whom, what it says')
    .option('--if <condition>', "only those of which it holds: 'tcp.dport == 80 && ip.src == 10.0.2.15'; see --fields")
    .option('--fields', 'print the names a condition may use, which are those of Wireshark, and end')
    .option('-x, --hex', 'the bytes of each, too, as digits and characters')
    .addOption(new Option('--json', 'one JSON object per line: all fields that are there').conflicts('hex'))
    .option(
      '--why <number>',
      'how this one came about and where it went, event by event; more at the prompt of `debug`',
    )
    .option('--symbols <file>', "of --why: names of the guest's addresses")
    .option('--follow', 'wait for more while the trace is recorded')
    .option('-n, --limit <count>', 'stop after so many')
    .action(async (file, { if: condition, fields, hex, json, follow, limit, why, symbols }) => {
      const { printFields, printPackets } = await import('./packets-command.ts');
      if (fields === true) {
        printFields(print);
        return;
      }
      if (file === undefined) throw new UsageProblem('Say which trace: `packets FILE`.');
      if (why !== undefined) {
        const { whyPacket } = await import('./why-packet.ts');
        done(await whyPacket(file, { number: wholeNumber('--why', why, 0, FURTHEST), symbols }, print));
        return;
      }
      const width = shownWidth();
      const form = {
        limit: limit === undefined ? FURTHEST : wholeNumber('--limit', limit, 0, FURTHEST),
        ...{ hex: hex === true, json: json === true, follow: follow === true },
        ...(condition === undefined ? {} : { condition }),
        ...(width === undefined ? {} : { width }),
      };
      done(await printPackets(file, form, { print, flush }));
    });
  program
    .command('export <file>')
    .description('its packets as a capture for Wireshark: --pcapng -o FILE; each says what led to it')
    .option(
      '--pcapng',
      'an interface for each network card and backend of each machine, virtual times, a comment for each packet',
    )
    .option('-o, --output <file>', 'the capture, whole or not at all')
    .option('--symbols <file>', "names of the guest's addresses: an ELF file with .symtab, or a System.map")
    .action(async (file, { pcapng, output, symbols }) => {
      if (pcapng !== true) throw new UsageProblem('Say as what: `export FILE --pcapng -o CAPTURE`.');
      if (output === undefined) throw new UsageProblem('Say where to: -o CAPTURE.');
      const { exportCapture } = await import('./export-command.ts');
      done(await exportCapture(file, { output, ...(symbols === undefined ? {} : { symbols }) }, print));
    });
}
