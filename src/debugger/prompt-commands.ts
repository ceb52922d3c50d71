import { Problem } from '../base/problem.ts';
import { sourceName, type Stamped } from '../events/stamped.ts';
import { describeStamped } from '../replay/divergence.ts';
import type { Mark } from '../replay/timeline.ts';
import { backtrace } from './backtrace.ts';
import { changesBetween, eventsOfTick, lastChange, type Reading } from './changes.ts';
import { matcher } from './event-filter.ts';
import { examine, type ExamineForm } from './examine.ts';
import { linearRip, readLinear, readPhysical, registersOf, vcpuCount } from './guest-view.ts';
import { afterEvent, endOf, filterOf, nextEvent, previousEvent } from './places.ts';
import { type DebugSession, describePlace, disassembly, evaluate, named } from './session.ts';
import { fieldDifferences, pageDifferences, printed, snapshotOf } from './state-difference.ts';
import { describeInterruptControllers, describeLapic } from './views/interrupts.ts';
import { describeRegisters } from './views/registers.ts';
import { describeEptWalk, describeTranslation } from './views/translation.ts';
import { describeEpt, describeVmcs } from './views/vmcs.ts';

/** One command of the debugger's prompt. `words` is what follows its name. */
export interface PromptCommand {
  readonly usage: string;
  readonly help: string;
  readonly answer: (session: DebugSession, words: string) => string;
}

const EVENTS_SHOWN = 20;
const CHANGES_SHOWN = 40;
const FIELDS_SHOWN = 60;
const DISASSEMBLED = 8;

const countOf = (words: string, usual: number): number => {
  if (words === '') return usual;
  const count = Number(words);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new Problem(`${words} is not a count.`);
};

const moved = (session: DebugSession, place: Mark | number): string => {
  session.goTo(place);
  return describePlace(session);
};

function towards(session: DebugSession, words: string, isBack: boolean): string {
  const { events } = session.run;
  if (words === '') {
    moved(session, isBack ? 0 : endOf(events));
    return `${isBack ? 'The beginning' : 'The end'} of the run.\n${describePlace(session)}`;
  }
  const isWanted = matcher(filterOf(words));
  const { seq } = session;
  const found = isBack ? previousEvent(events, seq - 1, isWanted) : nextEvent(events, seq, isWanted);
  if (found === undefined) return `No ${isBack ? 'earlier' : 'further'} event is ${words}.`;
  session.goTo(afterEvent(found));
  return `${describeStamped(found)}\n${describePlace(session)}`;
}

const DIGITS = 2;
const hexOf = (bytes: Uint8Array): string =>
  `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(DIGITS, '0'))
    .reverse()
    .join('')}`;

interface Watched {
  readonly name: string;
  readonly read: Reading;
}

const LONGEST_WATCHED = 64;

/** `ADDR[/BYTES]` linear, `phys:ADDR[/BYTES]`, `$register`, or a path of the state such as `kvm.vcpus.0.mpState`. */
function watchedOf(session: DebugSession, words: string): Watched {
  const { view, vcpu } = session;
  if (/^(clock|schedule|kvm|vmm|random)\./.test(words))
    return { name: words, read: () => printed(stateAt(session, words)) };
  if (words.startsWith('$')) return { name: words, read: () => `0x${evaluate(session, words).toString(16)}` };
  const match = /^(phys:)?([^/]+)(?:\/(\d+))?$/.exec(words);
  if (match === null) throw new Problem('Say which address: `why ADDR[/BYTES]`.');
  const length = Number(match[3] ?? 8);
  if (length < 1 || length > LONGEST_WATCHED) throw new Problem(`At most ${LONGEST_WATCHED} bytes can be looked at.`);
  const address = evaluate(session, match[2] as string);
  const read = (): string => {
    const bytes =
      match[1] === undefined ? readLinear(view, vcpu, address, length) : readPhysical(view, Number(address), length);
    return bytes.length < length ? 'not mapped' : hexOf(bytes);
  };
  return { name: `${named(session, address)}/${length}`, read };
}

function stateAt(session: DebugSession, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, key) =>
        typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined,
      session.view.machine.state,
    );
}

/** Kinds whose subject writes guest memory or registers besides instructions. */
const WRITERS =
  /^(sim:dma|sim:emulated|kvm_pvclock_update|sim:task_switched|kvm_pv_eoi|sim:serial_received|sim:intervened)$/;

function why(session: DebugSession, words: string): string {
  const { name, read } = watchedOf(session, words);
  const { timeline } = session.run;
  const here = session.now;
  const change = lastChange(timeline, read);
  if (change === undefined) return `${name} has not changed since power-on: ${read()}.`;
  const { events } = eventsOfTick(timeline, change.tick);
  timeline.seek(change.tick);
  const turn = timeline.machine.state.schedule.turn;
  session.vcpu = turn;
  const [instruction] = disassembly(session, linearRip(session.view, turn), 1);
  const others = events.filter(({ event }) => WRITERS.test(event.kind));
  session.goTo(here);
  return [
    `${name}: ${change.before} -> ${change.after}`,
    `at tick ${change.tick} by vcpu${turn}: ${(instruction as string).trim().replace(/^=> /, '')}`,
    ...others.map((stamped) => `  with ${sourceName(stamped.source)} ${describeStamped(stamped)}`),
    `\`at ${change.tick}\` stands before it.`,
  ].join('\n');
}

function history(session: DebugSession, words: string): string {
  const { name, read } = watchedOf(session, words);
  const changes = changesBetween(session.run.timeline, 0, endOf(session.run.events).tick, read, CHANGES_SHOWN);
  const lines = changes.map(({ tick, before, after }) => `  tick ${tick}: ${before} -> ${after}`);
  const more = changes.length === CHANGES_SHOWN ? [`the first ${CHANGES_SHOWN}`] : [];
  return [
    `${name}: ${changes.length === 0 ? `always ${read()}` : `${changes.length} changes`}`,
    ...lines,
    ...more,
  ].join('\n');
}

function difference(session: DebugSession, words: string): string {
  const places = words.split(/\s+/).filter((word) => word !== '');
  const [from, to] = places;
  if (from === undefined || places.length > 2) throw new Problem('Say which marks: `diff MARK [MARK]`.');
  const here = session.now;
  session.at(from);
  const left = snapshotOf(session.view);
  if (to === undefined) session.goTo(here);
  else session.at(to);
  const right = snapshotOf(session.view);
  const fields = fieldDifferences(left, right);
  const pages = pageDifferences(session.view, left, right);
  session.goTo(here);
  const lines = fields
    .slice(0, FIELDS_SHOWN)
    .map(({ path, left: one, right: other }) => `  ${path}: ${printed(one)} -> ${printed(other)}`);
  const rest = fields.length - lines.length;
  const shown = pages.slice(0, EVENTS_SHOWN).map((gpa) => `0x${gpa.toString(16)}`);
  return [
    `${fields.length} fields and ${pages.length} pages of guest memory differ.`,
    ...lines,
    ...(rest > 0 ? [`  and ${rest} more`] : []),
    ...(pages.length > 0 ? [`  pages ${shown.join(' ')}${pages.length > shown.length ? ' ...' : ''}`] : []),
  ].join('\n');
}

function eventsAround(session: DebugSession, words: string): string {
  const { events } = session.run;
  const { seq } = session;
  const match = /^(\d*)\s*(.*)$/.exec(words) as RegExpExecArray;
  const count = countOf(match[1] as string, EVENTS_SHOWN);
  const isWanted = match[2] === '' ? () => true : matcher(filterOf(match[2] as string));
  const shown: Stamped[] = [];
  for (let before = seq; shown.length < count / 2; ) {
    const found = previousEvent(events, before, isWanted);
    if (found === undefined) break;
    shown.unshift(found);
    before = found.seq;
  }
  for (let after = seq; shown.length < count; ) {
    const found = nextEvent(events, after, isWanted);
    if (found === undefined) break;
    shown.push(found);
    after = found.seq + 1;
  }
  return shown.map((stamped) => `${stamped.seq < seq ? '  ' : '> '}${describeStamped(stamped)}`).join('\n');
}

function processor(session: DebugSession, words: string): string {
  const count = vcpuCount(session.view);
  if (words === '') return `vcpu${session.vcpu} of ${count}`;
  const vcpu = Number(words);
  if (!Number.isInteger(vcpu) || vcpu < 0 || vcpu >= count)
    throw new Problem(`There is no vcpu ${words}: 0 to ${count - 1}.`);
  session.vcpu = vcpu;
  return describePlace(session);
}

function callers(session: DebugSession): string {
  return backtrace(session.view, session.vcpu)
    .map(({ address, by }, index) => `#${index}  ${named(session, address)}${by === 'guess' ? '  ?' : ''}`)
    .join('\n');
}

const irqchipOf = ({ view }: DebugSession) => {
  const irqchip = view.kvmState().vm?.irqchip;
  if (irqchip === undefined) throw new Problem('There is no in-kernel interrupt controller here.');
  return irqchip;
};

const lapicOf = (session: DebugSession): string => {
  const lapic = irqchipOf(session).lapics[session.vcpu];
  return lapic === undefined ? 'This processor has no local APIC.' : describeLapic(session.vcpu, lapic);
};

const examined = (session: DebugSession, words: string, form: ExamineForm): string =>
  examine(session, words, form).join('\n');

/** The prompt's commands. To add one, add its row. */
export const PROMPT_COMMANDS: Readonly<Record<string, PromptCommand>> = {
  at: {
    usage: 'at [PLACE]',
    help: 'go to: start, end, a tick, #EVENT, 25%, +N, -N, or the first event of a KIND [TEXT]',
    answer: (session, words) => {
      if (words !== '') session.at(words);
      return describePlace(session);
    },
  },
  step: {
    usage: 'step [N]',
    help: 'N instructions on',
    answer: (session, words) => {
      session.step(countOf(words, 1));
      return describePlace(session);
    },
  },
  back: {
    usage: 'back [N]',
    help: 'N instructions back',
    answer: (session, words) => {
      session.step(-countOf(words, 1));
      return describePlace(session);
    },
  },
  continue: {
    usage: 'continue [KIND [TEXT]]',
    help: 'on to the next event of a kind, or to the end',
    answer: (session, words) => towards(session, words, false),
  },
  rcontinue: {
    usage: 'rcontinue [KIND [TEXT]]',
    help: 'back to the last event of a kind, or to the beginning',
    answer: (session, words) => towards(session, words, true),
  },
  x: {
    usage: 'x[/NFU] ADDR',
    help: 'memory, as gdb prints it',
    answer: (session, words) => examined(session, words, 'linear'),
  },
  xp: {
    usage: 'xp[/NFU] GPA',
    help: 'guest-physical memory',
    answer: (session, words) => examined(session, words, 'physical'),
  },
  disas: {
    usage: 'disas [ADDR] [N]',
    help: 'instructions, from the next one on',
    answer: (session, words) => {
      const [address = '$pc', count = ''] = words.split(/\s+/).filter((word) => word !== '');
      return disassembly(session, evaluate(session, address), countOf(count, DISASSEMBLED)).join('\n');
    },
  },
  regs: {
    usage: 'regs',
    help: "the processor's registers",
    answer: ({ view, vcpu }) => describeRegisters(vcpu, registersOf(view, vcpu)),
  },
  bt: { usage: 'bt', help: 'who called whom; ? is a guess from the stack', answer: callers },
  vcpu: { usage: 'vcpu [N]', help: 'the processor questions are about', answer: processor },
  translate: {
    usage: 'translate ADDR',
    help: 'every entry from a linear address to the host frame',
    answer: (session, words) => describeTranslation(session.view, session.vcpu, evaluate(session, words)),
  },
  vmcs: { usage: 'vmcs', help: "the processor's VMCS", answer: ({ view, vcpu }) => describeVmcs(view, vcpu) },
  ept: {
    usage: 'ept [GPA]',
    help: 'extended page tables, whole or for one address',
    answer: (session, words) =>
      words === ''
        ? describeEpt(session.view, session.vcpu)
        : describeEptWalk(session.view, session.vcpu, Number(evaluate(session, words))).join('\n'),
  },
  lapic: { usage: 'lapic', help: "the processor's local APIC", answer: lapicOf },
  pic: {
    usage: 'pic',
    help: 'PIC pair and IOAPIC',
    answer: (session) => describeInterruptControllers(irqchipOf(session)),
  },
  why: { usage: 'why WHAT', help: 'last change of ADDR[/BYTES], phys:ADDR, $register or a state path', answer: why },
  history: { usage: 'history WHAT', help: 'its changes over the whole run', answer: history },
  diff: { usage: 'diff MARK [MARK]', help: 'fields and pages that differ between two marks', answer: difference },
  events: { usage: 'events [N] [KIND [TEXT]]', help: 'events around here', answer: eventsAround },
  help: { usage: 'help', help: 'this list', answer: () => helpText() },
};

const helpText = (): string =>
  [
    ...Object.values(PROMPT_COMMANDS).map(({ usage, help }) => `${usage.padEnd(26)}${help}`),
    `${'symbols FILE [OFFSET]'.padEnd(26)}names from an ELF file or a System.map`,
    `${'quit'.padEnd(26)}leave; nothing recorded has changed`,
  ].join('\n');
