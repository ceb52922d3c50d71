import { Problem } from '../base/problem.ts';
import { GPR_NAMES } from '../x86/guest.ts';
import type { Intervention } from '../machine/intervene.ts';

/** What somebody wants otherwise from a mark on. */
export type Change =
  /** `after`: ticks from the mark. */
  | { readonly change: 'intervene'; readonly intervention: Intervention; readonly after: number }
  /** More is typed at the mark. */
  | { readonly change: 'type'; readonly text: string }
  /** What was typed next is this instead; empty: nothing. */
  | { readonly change: 'typed'; readonly text: string };

/** How `--set` is written. */
const CHANGE_USAGE = [
  'rax=5, vcpu1.rip=0x1000          a register',
  'mem:0x1000=c3                    guest-physical memory, bytes in hexadecimal',
  'drop irq 0x40 [vcpu 1]           an interrupt a local APIC has accepted',
  'delay irq 0x40 by 5000           and deliver it so many ticks later',
  'raise irq 0x40                   an interrupt nobody sent',
  'type TEXT                        more is typed; \\n is Enter',
  'typed TEXT                       what was typed next is this instead; nothing, when empty',
  'state kvm.vcpus.0.mpState=0      a field of the state, as the debugger names it',
].join('\n');

const REGISTERS = new Set<string>([...GPR_NAMES, 'rip', 'rflags', 'cr0', 'cr2', 'cr3', 'cr4', 'efer']);

/** Read one `--set`. */
export function parseChange(text: string): readonly Change[] {
  const words = text.trim();
  for (const form of FORMS) {
    const found = form(words);
    if (found !== undefined) return found;
  }
  throw new Problem(`\`${words}\` is no change. It can be:\n${CHANGE_USAGE}`);
}

const now = (intervention: Intervention, after = 0): Change => ({ change: 'intervene', intervention, after });

const FORMS: readonly ((words: string) => readonly Change[] | undefined)[] = [
  (words) => {
    const match = /^(?:vcpu(\d+)\.)?(\w+)\s*=\s*(0x[0-9a-f]+|\d+)$/i.exec(words);
    const name = match?.[2]?.toLowerCase() ?? '';
    if (match === null || !REGISTERS.has(name)) return undefined;
    return [now({ what: 'register', vcpu: Number(match[1] ?? 0), name, value: match[3] as string })];
  },
  (words) => {
    const match = /^mem:(0x[0-9a-f]+|\d+)\s*=\s*((?:[0-9a-f]{2}\s*)+)$/i.exec(words);
    if (match === null) return undefined;
    return [now({ what: 'memory', gpa: Number(match[1]), bytes: (match[2] as string).replace(/\s+/g, '') })];
  },
  (words) => {
    const match = /^(drop|delay|raise) irq (0x[0-9a-f]+|\d+)(?: vcpu (\d+))?(?: by (\d+))?$/i.exec(words);
    if (match === null) return undefined;
    const [, verb, vector, vcpu = '0', ticks] = match;
    return interruptChanges(words, verb as string, { vector: Number(vector), vcpu: Number(vcpu) }, ticks);
  },
  (words) => {
    const match = /^(typed?)(?: (.*))?$/s.exec(words);
    if (match === null) return undefined;
    return [{ change: match[1] as 'type' | 'typed', text: unescaped(match[2] ?? '') }];
  },
  (words) => {
    const match = /^state ([\w.#-]+)\s*=\s*(.+)$/.exec(words);
    return match === null ? undefined : [now({ what: 'state', path: match[1] as string, value: match[2] as string })];
  },
];

function interruptChanges(
  words: string,
  verb: string,
  where: { readonly vector: number; readonly vcpu: number },
  ticks: string | undefined,
): readonly Change[] {
  if (where.vector < 16 || where.vector > 255) throw new Problem(`${where.vector} is no vector from 16 to 255.`);
  if ((verb === 'delay') !== (ticks !== undefined)) {
    throw new Problem(`\`${words}\`: only a delay says by how many ticks, as in \`delay irq 0x40 by 5000\`.`);
  }
  const drop = now({ what: 'interrupt', ...where, pending: false });
  if (verb === 'drop') return [drop];
  const raise = now({ what: 'interrupt', ...where, pending: true }, Number(ticks ?? 0));
  return verb === 'raise' ? [raise] : [drop, raise];
}

const unescaped = (text: string): string =>
  text.replaceAll('\\n', '\n').replaceAll('\\r', '\r').replaceAll('\\e', '\x1b');
