/** A Linux that looks at its devices, on QEMU and on ours: what it printed, and what its devices were asked. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { guestFile, retrovisor } from '../command-line.ts';
import { consoleLines, type Seen } from './probe.ts';

/** A machine's options, the kinds of events that are looked at, and a folder for what both leave. */
export interface Probed {
  readonly machine: readonly string[];
  readonly events: readonly string[];
  readonly folder: string;
}

export function probedOnQemu({ machine, events, folder }: Probed): Seen {
  const log = join(folder, 'qemu.log');
  const { status, stdout, stderr } = spawnSync(
    'qemu-system-x86_64',
    [
      ...['-M', 'pc', '-accel', 'tcg', '-cpu', 'qemu64', ...machine],
      ...['-D', log, ...events.flatMap((kind) => ['-trace', kind])],
    ],
    { encoding: 'utf8', input: '', timeout: 10 * 60_000 },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return { console: stdout, events: readFileSync(log, 'utf8') };
}

/** Its trace is `ours.trace`. */
export function probedOnOurs({ machine, events, folder }: Probed): Seen {
  const trace = join(folder, 'ours.trace');
  const firmware = ['-bios', guestFile('bios-256k.bin'), '-option-rom', guestFile('kvmvapic.bin')];
  const { out } = retrovisor(['run', ...machine, ...firmware, '--trace', trace, '--wall-clock', '1700000000']);
  return { console: out, events: retrovisor(['events', trace, '--event', events.join(',')]).out };
}

const TURNS = 3;

/**
 * What a QEMU shows of the same. Where its host is busy its guest prints a line more now and then, of real time: it is
 * asked again then, and what is ours alone stays so.
 */
export function probedBeside(ours: Seen, ask: () => Seen): Seen {
  const said = ({ console }: Seen): string => consoleLines(console).lines.join('\n');
  let seen = ask();
  for (let turn = 1; turn < TURNS && said(seen) !== said(ours); turn += 1) seen = ask();
  return seen;
}
