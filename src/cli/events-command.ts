import { orNearest } from '../base/nearest.ts';
import type { Ns, Seq } from '../base/units.ts';
import { onOneLine } from '../base/printable.ts';
import { SINGLE_SOURCES, sourceNamed, vcpuOf } from '../events/stamped.ts';
import { complain } from '../host/output.ts';
import { asUsage, UsageProblem } from '../options/usage.ts';
import { Chain, MOST_CAUSES, pathTo } from '../replay/export/chain.ts';
import { columnsLine, csvLine, eventColumns, USUAL_COLUMNS } from '../replay/export/event-columns.ts';
import { checkKinds, type EventFilter, matcher, wantedKinds } from '../replay/export/event-filter.ts';
import { eventJson, plainField } from '../replay/export/event-json.ts';
import { eventLine, fitted, widthsFor } from '../replay/export/event-line.ts';
import { preciseSeconds } from '../replay/packets/packet-text.ts';
import { reportLine } from '../replay/export/report.ts';
import { lazyEvents } from '../replay/trace/lazy-events.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import type { TraceReader } from '../replay/trace/reader.ts';
import type { TimedOf } from '../runs/fabric/by-clock.ts';
import { ChainAcross } from '../runs/fabric/chain-across.ts';
import { type Company, companyOf } from './company.ts';
import { type MachineIn, machinesIn, oneMachineIn, readTogether, WhoseLines } from './machines-in.ts';
import type { Print } from './trace-commands.ts';

/** How events are printed. */
export interface EventsForm {
  readonly as?: 'json' | 'csv' | 'trace-cmd';
  readonly columns?: readonly string[];
  readonly limit: number;
  /** The event whose causes and effects are asked for. */
  readonly chain?: Seq;
  /** Virtual times from which, and up to which events are printed. */
  readonly fromNs?: Ns;
  readonly toNs?: Ns;
  /** Of the terminal; absent: lines are as long as they are. */
  readonly width?: number;
}

/** How an event is printed, and what stands above the first. */
interface Printer {
  readonly head?: string;
  line(told: TimedOf, depth?: number): string;
}

/** `retrovisor events`: print a trace, or those of several machines together, a line an event. Returns the status. */
export function printEvents(path: string, filter: EventFilter, form: EventsForm, print: Print): number {
  const { wanted, printer } = asUsage(() => {
    checkKinds(filter.kinds ?? []);
    return { wanted: matcher(filter), printer: printerOf(form, filter) };
  });
  const chain = form.chain === undefined ? undefined : chainOf(path, form.chain);
  const machines = chain?.machines ?? machinesIn(path);
  checkSource(filter.source, machines);
  const { head, line } = printer(machines, new WhoseLines(machines));
  const { fromNs = 0, toNs = Number.POSITIVE_INFINITY } = form;
  let left = form.limit;
  if (head !== undefined) print(head);
  return readTogether(machines, (told) => {
    if (left === 0 || told.ns > toNs) return false;
    const depth = chain?.depthOf(told);
    if ((chain !== undefined && depth === undefined) || told.ns < fromNs || !wanted(told.stamped)) return true;
    print(line(told, depth));
    left -= 1;
    return left > 0;
  });
}

interface AskedChain {
  /** Those it may lead through. */
  readonly machines: readonly MachineIn[];
  depthOf(told: TimedOf): number | undefined;
}

/** The chain of one event. Throws a Problem when there is none of that number. */
function chainOf(path: string, seq: Seq): AskedChain {
  const several = companyOf(path);
  if (several !== undefined) return chainThrough(several, seq);
  const machine = oneMachineIn(path, '--chain');
  const chain = chainAround(machine.trace, seq);
  return { machines: [machine], depthOf: ({ stamped }) => chain.depthOf(stamped.seq, stamped.cause) };
}

/** The chain of an event of one of several machines. */
function chainThrough({ machines, at, passages }: Company, seq: Seq): AskedChain {
  const runs = machines.map(({ trace }) => lazyEvents(trace).events);
  if (runs[at]![seq] === undefined) throw noEvent(seq, runs[at]!.length);
  const chain = new ChainAcross(runs, passages, { machine: at, seq });
  warnOfLength(seq, chain.causes);
  return { machines, depthOf: ({ machine, stamped }) => chain.depthOf(machine, stamped) };
}

function chainAround(trace: TraceReader, seq: Seq): Chain {
  const causes: (Seq | undefined)[] = [];
  for (const stamped of inOrder(trace)) {
    causes[stamped.seq] = stamped.cause;
    if (stamped.seq >= seq) break;
  }
  if (!(seq in causes)) throw noEvent(seq, causes.length);
  const path = pathTo(seq, (each) => causes[each]);
  warnOfLength(seq, path.length - 1);
  return new Chain(path);
}

const noEvent = (seq: Seq, events: number): UsageProblem =>
  new UsageProblem(`The run has no event #${seq}: its last is #${events - 1}.`);

function warnOfLength(seq: Seq, causes: number): void {
  if (causes > MOST_CAUSES) complain(`#${seq} has ${causes} causes: the last ${MOST_CAUSES} are shown.`);
}

/** Throws a UsageProblem for a source none of these machines has. */
function checkSource(name: string | undefined, machines: readonly MachineIn[]): void {
  if (name === undefined) return;
  const smp = Math.max(...machines.map(({ description }) => description.smp));
  const source = sourceNamed(name);
  if (source !== undefined && vcpuOf(source) < smp) return;
  const vcpus = Array.from({ length: smp }, (_, vcpu) => `vcpu${vcpu}`);
  throw new UsageProblem(`No source is named ${onOneLine(name)}${orNearest(name, [...SINGLE_SOURCES, ...vcpus])}`);
}

type PrinterOf = (machines: readonly MachineIn[], whose: WhoseLines) => Printer;

function printerOf({ as, columns, width }: EventsForm, filter: EventFilter): PrinterOf {
  if (as === 'trace-cmd') return labelled(({ stamped, ns }) => reportLine(stamped, ns));
  if (columns !== undefined || as === 'csv') return tableOf(as, columns ?? USUAL_COLUMNS, filter, width);
  if (as === 'json') {
    return (_machines, whose) => ({
      line: ({ machine, stamped, ns }) => whose.json(machine, eventJson(stamped), ns),
    });
  }
  return (machines, whose) => {
    const widths = widthsFor(Math.max(...machines.map(({ trace }) => trace.eventCount)));
    // Ticks of one machine say nothing to another's.
    const timed = machines.length > 1 ? (ns: Ns): string => `${preciseSeconds(ns).padStart(14)} ` : () => '';
    const { line } = labelled(({ stamped, ns }, depth) => `${timed(ns)}${eventLine(stamped, widths, depth)}`)(
      machines,
      whose,
    );
    return { line: (told, depth) => fitted(line(told, depth), width) };
  };
}

/** Lines for people, with whose they are before them. */
const labelled =
  (lineOf: Printer['line']): PrinterOf =>
  (_machines, whose) => ({ line: (told, depth) => whose.line(told.machine, lineOf(told, depth)) });

function tableOf(
  as: EventsForm['as'],
  names: readonly string[],
  filter: EventFilter,
  width: number | undefined,
): PrinterOf {
  const columns = eventColumns(names, wantedKinds(filter));
  if (as === 'json') {
    return (_machines, whose) => ({
      line({ machine, stamped, ns }) {
        const members = columns.map(({ name, value }) => [name, plainField(value(stamped, ns))]);
        return whose.json(machine, JSON.stringify(Object.fromEntries(members)), undefined);
      },
    });
  }
  if (as === 'csv') {
    return (_machines, whose) => ({
      head: whose.cell(undefined, csvLine(names)),
      line: ({ machine, stamped, ns }) => whose.cell(machine, csvLine(columns.map(({ value }) => value(stamped, ns)))),
    });
  }
  return (_machines, whose) => {
    const line: Printer['line'] = ({ machine, stamped, ns }) => {
      const cells = columns.map(({ shown }) => shown(stamped, ns));
      return fitted(whose.line(machine, columnsLine(columns, cells)), width);
    };
    return { head: fitted(whose.blank(columnsLine(columns, names)), width), line };
  };
}
