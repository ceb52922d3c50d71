import type { MonitorSubject } from '../runs/underway/session.ts';

/** A monitor command's answer, and what it does to the run. */
export interface MonitorAnswer {
  readonly text: string;
  readonly then?: 'stop' | 'cont' | 'quit';
}

interface MonitorCommand {
  readonly usage: string;
  readonly help: string;
  readonly answer: (subject: MonitorSubject, words: readonly string[]) => MonitorAnswer;
}

const say = (text: string): MonitorAnswer => ({ text });

/** The monitor's commands, spelled as QEMU's. To add one, add its row. */
const MONITOR_COMMANDS: Readonly<Record<string, MonitorCommand>> = {
  'info registers': {
    usage: 'info registers [-a | CPU]',
    help: 'registers of the processors',
    answer: (subject, words) => say(perVcpu(subject, words, (vcpu) => subject.registers(vcpu))),
  },
  'info lapic': {
    usage: 'info lapic [CPU]',
    help: 'local APIC registers',
    answer: (subject, words) => say(perVcpu(subject, words, (vcpu) => subject.localApic(vcpu))),
  },
  'info pic': {
    usage: 'info pic',
    help: 'state of the PIC and IOAPIC',
    answer: (subject) => say(subject.interruptControllers()),
  },
  'info mtree': { usage: 'info mtree', help: 'memory regions', answer: (subject) => say(subject.memoryTree()) },
  'info status': { usage: 'info status', help: 'running or stopped', answer: (subject) => say(subject.status()) },
  stop: { usage: 'stop', help: 'stop the guest', answer: () => ({ text: '', then: 'stop' }) },
  cont: { usage: 'cont', help: 'let the guest run', answer: () => ({ text: '', then: 'cont' }) },
  quit: { usage: 'quit', help: 'end the run', answer: () => ({ text: '', then: 'quit' }) },
  help: { usage: 'help', help: 'this list', answer: () => say(helpText()) },
};

const SHORT: Readonly<Record<string, string>> = { c: 'cont', s: 'stop', q: 'quit', '?': 'help' };

/** The prompt QEMU's users know. */
export const MONITOR_PROMPT = '(retrovisor) ';

/** Answer one line typed at the monitor. */
export function answerMonitor(subject: MonitorSubject, line: string): MonitorAnswer {
  const words = line.trim().split(/\s+/);
  if (words[0] === '') return say('');
  const first = SHORT[words[0] as string] ?? (words[0] as string);
  const name = first === 'info' ? `info ${words[1] ?? ''}`.trim() : first;
  const command = MONITOR_COMMANDS[name];
  if (command === undefined) return say(`Unknown command '${line.trim()}'. \`help\` lists them.`);
  return command.answer(subject, words.slice(name.split(' ').length));
}

function perVcpu(subject: MonitorSubject, words: readonly string[], ask: (vcpu: number) => string): string {
  const count = subject.vcpuCount();
  const [which] = words;
  if (which === undefined || which === '-a') {
    const all = Array.from({ length: which === '-a' ? count : 1 }, (_, vcpu) => ask(vcpu));
    return all.join('\n\n');
  }
  const vcpu = Number(which);
  if (!Number.isInteger(vcpu) || vcpu < 0 || vcpu >= count) return `There is no CPU ${which}: 0 to ${count - 1}.`;
  return ask(vcpu);
}

const helpText = (): string =>
  Object.values(MONITOR_COMMANDS)
    .map(({ usage, help }) => `${usage.padEnd(28)}${help}`)
    .join('\n');
