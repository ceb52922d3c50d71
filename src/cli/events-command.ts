import { orNearest } from '../base/nearest.ts';
import { Problem } from '../base/problem.ts';
import type { Ns, Seq } from '../base/units.ts';
import { onOneLine } from '../base/printable.ts';
import { SINGLE_SOURCES, sourceNamed, type Stamped, vcpuOf } from '../events/stamped.ts';
import { complain } from '../host/output.ts';
import { UsageProblem } from '../options/usage.ts';
import { Chain, MOST_CAUSES, pathTo } from '../replay/export/chain.ts';
import { columnsLine, csvLine, eventColumns, USUAL_COLUMNS } from '../replay/export/event-columns.ts';
import { checkKinds, type EventFilter, matcher, wantedKinds } from '../replay/export/event-filter.ts';
import { eventJson, plainField } from '../replay/export/event-json.ts';
import { eventLine, fitted, widthsFor } from '../replay/export/event-line.ts';
import { eventClock, reportLine } from '../replay/export/report.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import type { TraceReader } from '../replay/trace/reader.ts';
import { type MachineDescription, readDescription } from '../runs/machine/machine-description.ts';
import { openToLook, type Print, readThrough } from './trace-commands.ts';

/** How events are printed. */
export interface EventsForm {
  readonly as?: 'json' | 'csv' | 'trace-cmd';
  readonly columns?: readonly string[];
  readonly limit: number;
  /** The event whose causes and effects are asked for. */
  readonly chain?: Seq;
  /** Of the terminal; absent: lines are as long as they are. */
  readonly width?: number;
}

/** How an event is printed, and what stands above the first. */
interface Printer {
  readonly head?: string;
  line(stamped: Stamped, ns: Ns, depth?: number): string;
}

/** `retrovisor events`: print a trace, a line an event. Returns the status. */
export function printEvents(path: string, filter: EventFilter, form: EventsForm, print: Print): number {
  const { wanted, printer } = asUsage(() => {
    checkKinds(filter.kinds ?? []);
    return { wanted: matcher(filter), printer: printerOf(form, filter) };
  });
  const trace = openToLook(path);
  const machine = readDescription(trace.header.machine, path);
  checkSource(filter.source, machine);
  const clock = eventClock(machine);
  const { head, line } = printer(trace.eventCount);
  const chain = form.chain === undefined ? undefined : chainAround(trace, form.chain);
  let left = form.limit;
  if (head !== undefined) print(head);
  return readThrough(trace, (stamped) => {
    if (left === 0) return false;
    const ns = clock.ns(stamped);
    const depth = chain?.depthOf(stamped);
    if ((chain !== undefined && depth === undefined) || !wanted(stamped)) return true;
    print(line(stamped, ns, depth));
    left -= 1;
    return left > 0;
  });
}

/** The chain of one event of a trace. Throws a Problem when there is none of that number. */
function chainAround(trace: TraceReader, seq: Seq): Chain {
  const causes: (Seq | undefined)[] = [];
  for (const stamped of inOrder(trace)) {
    causes[stamped.seq] = stamped.cause;
    if (stamped.seq >= seq) break;
  }
  if (!(seq in causes)) throw new UsageProblem(`The run has no event #${seq}: its last is #${causes.length - 1}.`);
  const path = pathTo(seq, (each) => causes[each]);
  if (path.length > MOST_CAUSES + 1)
    complain(`#${seq} has ${path.length - 1} causes: the last ${MOST_CAUSES} are shown.`);
  return new Chain(path);
}

/** What is wrong with what was asked for is wrong with the command line. */
export function asUsage<T>(understand: () => T): T {
  try {
    return understand();
  } catch (problem) {
    throw problem instanceof Problem ? new UsageProblem(problem.message) : problem;
  }
}

/** Throws a UsageProblem for a source this machine does not have. */
function checkSource(name: string | undefined, { smp }: MachineDescription): void {
  if (name === undefined) return;
  const source = sourceNamed(name);
  if (source !== undefined && vcpuOf(source) < smp) return;
  const vcpus = Array.from({ length: smp }, (_, vcpu) => `vcpu${vcpu}`);
  throw new UsageProblem(`No source is named ${onOneLine(name)}${orNearest(name, [...SINGLE_SOURCES, ...vcpus])}`);
}

function printerOf({ as, columns, width }: EventsForm, filter: EventFilter): (events: number) => Printer {
  if (as === 'trace-cmd') return () => ({ line: reportLine });
  if (columns !== undefined || as === 'csv') {
    const table = tableOf(as, columns ?? USUAL_COLUMNS, filter, width);
    return () => table;
  }
  if (as === 'json') return () => ({ line: eventJson });
  return (events) => {
    const widths = widthsFor(events);
    return { line: (stamped, _ns, depth) => fitted(eventLine(stamped, widths, depth), width) };
  };
}

function tableOf(
  as: EventsForm['as'],
  names: readonly string[],
  filter: EventFilter,
  width: number | undefined,
): Printer {
  const columns = eventColumns(names, wantedKinds(filter));
  if (as === 'csv') {
    return {
      head: csvLine(names),
      line: (stamped, ns) => csvLine(columns.map(({ value }) => value(stamped, ns))),
    };
  }
  if (as === 'json') {
    return {
      line: (stamped, ns) =>
        JSON.stringify(Object.fromEntries(columns.map(({ name, value }) => [name, plainField(value(stamped, ns))]))),
    };
  }
  return {
    head: fitted(columnsLine(columns, names), width),
    line: (stamped, ns) =>
      fitted(
        columnsLine(
          columns,
          columns.map(({ shown }) => shown(stamped, ns)),
        ),
        width,
      ),
  };
}
