import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** One kvm tracepoint in text: from ftrace, `trace-cmd report` or our own `events`. */
export interface TracedEvent {
  /** The thread that raised it, as the line's prefix names it. */
  readonly thread: string;
  readonly name: string;
  readonly text: string;
}

const LINE = /^\s*(\S+-\d+)\s.*?\b(kvm_\w+): +(.*?)\s*$/;

/** The kvm tracepoints of a text, in order. */
export function parseEvents(text: string): TracedEvent[] {
  const events: TracedEvent[] = [];
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (match !== null) events.push({ thread: match[1]!, name: match[2]!, text: match[3]! });
  }
  return events;
}

/** A gzip-compressed recording. */
export const readRecording = (path: string): TracedEvent[] => parseEvents(gunzipSync(readFileSync(path)).toString());

/** Ports whose value depends on when they are read. */
const TIMED_PORTS = new Set([0x40, 0x41, 0x42, 0x43, 0x61, 0x71, 0x608]);

type Token = (text: string) => string | undefined;

/** The guest's code lies elsewhere in another build; the firmware's below 1 MB does not. */
function place(rip: string): string {
  const address = Number.parseInt(rip, 16);
  return address < 0x100000 ? `0x${address.toString(16)}` : 'high';
}

const TOKENS: Readonly<Record<string, Token>> = {
  kvm_exit: (text) => {
    const match = /vcpu (\d+) reason (\w+) rip 0x([0-9a-f]+) info1 0x([0-9a-f]+)/.exec(text);
    if (match === null) return undefined;
    const [, vcpu, reason, rip, info] = match as unknown as [string, string, string, string, string];
    const qualification = reason === 'IO_INSTRUCTION' || reason === 'CR_ACCESS' ? ' ' + info.replace(/^0+/, '') : '';
    return reason === 'EPT_VIOLATION' ? undefined : `exit ${vcpu} ${reason}${qualification} at ${place(rip)}`;
  },
  kvm_pio: (text) => {
    const match = /pio_(\w+) at 0x([0-9a-f]+) size (\d) count (\d+) val (.*)/.exec(text);
    if (match === null) return undefined;
    const [, direction, port, size, count, value] = match as unknown as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const isTimed = direction === 'read' && TIMED_PORTS.has(Number.parseInt(port, 16));
    return `pio ${direction} ${port} ${size} ${count} ${isTimed ? 'timed' : value.replace(/ .*/, '')}`;
  },
  kvm_cpuid: (text) => /func ([0-9a-f]+) idx/.exec(text)?.[1]?.replace(/^/, 'cpuid '),
  kvm_msr: (text) => /(msr_\w+) ([0-9a-f]+)/.exec(text)?.slice(1).join(' '),
  kvm_cr: (text) => 'cr ' + text,
  kvm_apic: (text) => text.replace(/0x[0-9a-f]{5,}/, 'count'),
  kvm_apic_ipi: (text) => 'ipi ' + text,
  kvm_apic_accept_irq: (text) => 'accept ' + text,
  kvm_inj_virq: (text) => 'inject ' + text.replace(/^[A-Za-z/]+n? ?0x/, '0x').replace(' [reinjected]', ''),
  kvm_inj_exception: (text) => 'inject ' + text.replace(' [reinjected]', ''),
  kvm_hypercall: (text) => 'hypercall ' + text,
  kvm_smm_transition: (text) => 'smm ' + text.replace(/.*: /, ''),
};

/** What two recordings of the same guest can be expected to share, in order. */
export function tokensOf(events: readonly TracedEvent[]): string[] {
  const tokens: string[] = [];
  for (const { name, text } of events) {
    const token = TOKENS[name]?.(text);
    if (token !== undefined) tokens.push(token);
  }
  return tokens;
}

/** The tokens of each vCPU's thread, in order of vCPU numbers. */
export function tokensByVcpu(events: readonly TracedEvent[]): string[][] {
  const vcpus = new Map<string, number>();
  for (const { thread, name, text } of events) {
    const match = name === 'kvm_entry' ? /vcpu (\d+)/.exec(text) : null;
    if (match !== null) vcpus.set(thread, Number(match[1]));
  }
  return Array.from({ length: vcpus.size }, (_, vcpu) =>
    tokensOf(events.filter(({ thread }) => vcpus.get(thread) === vcpu)),
  );
}
