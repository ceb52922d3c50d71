import { fileName } from '../base/file-name.ts';
import { isEnded, sizeOfTrace } from '../host/pieces.ts';
import { GUEST_FAILED } from '../reducers/run.ts';
import type { RunOptions } from '../runs/machine/run-options.ts';
import type { SessionEnd, SessionFigures } from '../runs/underway/session.ts';

const MIB = 2 ** 20;
const KB = 1e3;
const MB = 1e6;

/** How a run is joined to the person before it. */
export interface Seat {
  /** A person can type. */
  readonly interactive: boolean;
  /** Ctrl-A is heard. */
  readonly monitor: boolean;
}

/** The line a run opens with: what is recorded where, and how to get help and out. */
export function openingLine(options: RunOptions, seat: Seat): string {
  const { kernel, bios, ramBytes, cpus, trace } = options;
  const guest = kernel ?? bios;
  const name = guest === undefined ? 'our own guest' : fileName(guest);
  const machine = `${name} (${ramBytes / MIB} MiB, ${cpus} processor${cpus === 1 ? '' : 's'})`;
  const what = trace === undefined ? `running ${machine}, not recorded` : `recording ${machine} into ${trace}`;
  return [`${what}.`, ...disksKept(options), wayOut(seat)].join(' ');
}

/** QEMU's users expect that a guest writes to its image. */
function disksKept({ drives, commits }: RunOptions): string[] {
  const images = drives.filter(({ readOnly }) => !readOnly).map(({ path }) => fileName(path));
  if (images.length === 0) return [];
  const into = images.join(', ');
  if (commits) return [`What the guest writes to its disks goes into ${into} at the end (--commit).`];
  return [`What the guest writes to its disks stays in the run, ${into} as it is (--commit writes it back).`];
}

function wayOut({ interactive, monitor }: Seat): string {
  if (interactive && monitor) return 'Ctrl-A h helps, Ctrl-A x ends the run.';
  const end = interactive ? `every key is the guest's, \`kill ${process.pid}\` ends the run` : 'Ctrl-C ends the run';
  return `\`retrovisor run --help\` helps, ${end}.`;
}

/** The line a run closes with: how it ended, what it came to, what to try next. */
export function closingLine(
  { trace }: Pick<RunOptions, 'trace'>,
  { events, ticks, virtualNs }: SessionFigures,
  end: Partial<SessionEnd>,
): string {
  const ended = end.sentence ?? (end.status === undefined ? undefined : `The guest ended with status ${end.status}.`);
  const ran = `${ticks} instructions, ${(virtualNs / 1e9).toFixed(3)} s of virtual time`;
  const figures = trace === undefined ? `${ran}; nothing was recorded.` : `${recorded(trace, events)}; ${ran}.`;
  const next = trace === undefined ? [] : [nextFor(trace, end.status)];
  return [...(ended === undefined ? [] : [ended]), figures, ...next].join(' ');
}

const nextFor = (trace: string, status: number | undefined): string =>
  status === GUEST_FAILED
    ? `\`retrovisor debug ${trace}\` stands in it: \`at end\`, \`bt\`, \`back\`.`
    : `\`retrovisor events ${trace}\` lists it, \`retrovisor debug ${trace}\` goes back in it.`;

/**
 * What is in a trace. Of what is no file, as `/dev/null`, nothing is known; one that could not be written has no end.
 */
function recorded(trace: string, events: number): string {
  const bytes = sizeOfTrace(trace);
  if (bytes === undefined) return `${events} events in ${trace}`;
  const size = bytes < MB ? `${(bytes / KB).toFixed(1)} kB` : `${(bytes / MB).toFixed(1)} MB`;
  if (isEnded(trace)) return `${events} events, ${size}, in ${trace}`;
  return `${trace} has no end: not all of the ${events} events could be written, ${size} were`;
}
