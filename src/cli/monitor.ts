import { SECTOR } from '../base/units.ts';
import { bytesMeant } from '../options/qemu-values.ts';
import { own } from '../base/own.ts';
import { Problem, shortly } from '../base/problem.ts';
import type { InputEvent } from '../machine/parts.ts';
import { NO_SYMBOLS } from '../debugger/symbols/symbols.ts';
import { answerView, VIEW_NAMES, viewsHelp } from '../debugger/views/asked.ts';
import { refusedDirtyRate } from '../vmm/dirty/refused.ts';
import { saidName } from '../vmm/config.ts';
import { MOST } from '../vmm/limits.ts';
import { refusedAnnouncement } from '../vmm/net/announcement.ts';
import type { Session } from '../runs/underway/session.ts';

/** What the monitor looks at. */
export type MonitorSubject = Pick<Session, 'view' | 'isStopped'>;

/** A monitor command's answer, and what it does to the run. */
export interface MonitorAnswer {
  readonly text: string;
  readonly then?: 'stop' | 'cont' | 'quit';
  /** An input, recorded as one. */
  readonly send?: InputEvent;
}

interface MonitorCommand {
  readonly usage: string;
  readonly help: string;
  readonly answer: (subject: MonitorSubject, words: readonly string[]) => MonitorAnswer;
}

const send = (kind: 'sim:nmi_requested' | 'sim:reset_requested' | 'sim:power_button_pressed'): MonitorAnswer => ({
  text: '',
  send: { kind },
});

const say = (text: string): MonitorAnswer => ({ text });

/** What the monitor does besides showing views, spelled as QEMU's. To add a command, add its row. */
const MONITOR_COMMANDS: Readonly<Record<string, MonitorCommand>> = {
  'info status': { usage: 'info status', help: 'running or stopped', answer: (subject) => say(statusText(subject)) },
  stop: { usage: 'stop', help: 'stop the guest', answer: () => ({ text: '', then: 'stop' }) },
  cont: { usage: 'cont', help: 'let the guest run, and ask a drive again that failed', answer: goOn },
  block_resize: {
    usage: 'block_resize DRIVE SIZE',
    help: 'give a drive another size, in MiB or with k, M, G or T',
    answer: resize,
  },
  set_link: { usage: 'set_link NAME on|off', help: 'plug or pull the cable of a net client', answer: setLink },
  announce_self: {
    usage: 'announce_self [CARDS] [ID]',
    help: 'tell everybody where cards are; also announce-rounds=N, -initial=, -max=, -step=MS',
    answer: announceSelf,
  },
  calc_dirty_rate: {
    usage: 'calc_dirty_rate -b SECONDS',
    help: 'log which pages are written for 1 to 60 virtual seconds; `info dirty_rate` and `dirty` tell',
    answer: calcDirtyRate,
  },
  system_reset: { usage: 'system_reset', help: 'reset the machine', answer: () => send('sim:reset_requested') },
  system_powerdown: {
    usage: 'system_powerdown',
    help: 'press the power button',
    answer: () => send('sim:power_button_pressed'),
  },
  system_wakeup: { usage: 'system_wakeup', help: 'wake the guest from sleep (S3)', answer: wakeUp },
  nmi: {
    usage: 'nmi',
    help: 'interrupt every processor whose LINT1 is open to NMIs',
    answer: () => send('sim:nmi_requested'),
  },
  quit: { usage: 'quit', help: 'end the run', answer: () => ({ text: '', then: 'quit' }) },
  help: { usage: 'help', help: 'this list', answer: () => say(helpText()) },
};

const SHORT: Readonly<Record<string, string>> = { c: 'cont', s: 'stop', q: 'quit', '?': 'help' };

/** What a line can begin with. */
export const MONITOR_NAMES: readonly string[] = [...Object.keys(MONITOR_COMMANDS), ...VIEW_NAMES];

/** The prompt QEMU's users know. */
export const MONITOR_PROMPT = '(retrovisor) ';

/** Answer one line typed at the monitor. */
export function answerMonitor(subject: MonitorSubject, line: string): MonitorAnswer {
  const words = line.trim().split(/\s+/);
  if (words[0] === '') return say('');
  const first = own(SHORT, words[0] as string) ?? (words[0] as string);
  const name = first === 'info' ? `info ${words[1] ?? ''}`.trim() : first;
  const command = own(MONITOR_COMMANDS, name);
  if (command !== undefined) return command.answer(subject, words.slice(1));
  return say(viewText(subject, line) ?? `Unknown command '${line.trim()}'. \`help\` lists them.`);
}

/** A view of the first processor, unless another is asked for. */
function viewText({ view }: MonitorSubject, line: string): string | undefined {
  try {
    return answerView({ view, vcpu: 0, symbols: NO_SYMBOLS }, line);
  } catch (problem) {
    if (problem instanceof Problem) return problem.message;
    throw problem;
  }
}

/** A machine that stopped by itself goes on by an input: what it does then is on record. */
function goOn({ view }: MonitorSubject): MonitorAnswer {
  const isStopped = view.machine.state.vmm.stopped !== undefined;
  return { text: '', then: 'cont', ...(isStopped ? { send: { kind: 'sim:continue_requested' } } : {}) };
}

/** QEMU's block_resize: the drive has another size at once, and its driver is told. */
function resize({ view }: MonitorSubject, [id = '', size = '', ...more]: readonly string[]): MonitorAnswer {
  const drive = view.machine.state.config.drives?.find((each) => each.id === id);
  if (id === '' || size === '' || more.length > 0)
    return say('block_resize DRIVE SIZE: say which drive, and its size.');
  if (drive === undefined) return say(`Error: Cannot find device='${shortly(id)}' nor node-name=''`);
  if (drive.readOnly) return say('Error: Image is read-only');
  const bytes = bytesMeant(size, 'm');
  if (!(bytes > 0 && bytes <= MOST.driveBytes))
    return say(`'${shortly(size)}' is no size up to 2 TiB, like 64M or 2G.`);
  if (bytes % SECTOR !== 0) return say('Error: The new size must be a multiple of 512');
  return { text: '', send: { kind: 'sim:drive_size_set', drive: id, sectors: bytes / SECTOR } };
}

/** QEMU's set_link: a card sees that its link is up or down. */
function setLink({ view }: MonitorSubject, [client = '', way = '', ...more]: readonly string[]): MonitorAnswer {
  const { net = [] } = view.machine.state.config;
  if ((way !== 'on' && way !== 'off') || more.length > 0) return say('set_link NAME on|off: say whose, and which.');
  if (!net.some((each) => saidName(each) === client)) return say(`Error: Device '${shortly(client)}' not found`);
  return { text: '', send: { kind: 'sim:link_set', client, up: way === 'on' } };
}

/** What QEMU's migration parameters say where nobody has set them. */
const ANNOUNCED = { initial: 50, max: 550, rounds: 5, step: 100 };

/** QEMU's announce_self. What it knows as parameters of a migration are words here. */
function announceSelf({ view }: MonitorSubject, words: readonly string[]): MonitorAnswer {
  const asked: Record<string, number> = { ...ANNOUNCED };
  for (const word of words.filter((each) => each.includes('='))) {
    const [, name = '', value = ''] = /^announce-(\w+)=(\d+)$/.exec(word) ?? [];
    if (own(ANNOUNCED, name) === undefined) {
      return say(
        `'${shortly(word)}' is none of announce-rounds=N, announce-initial=MS, announce-max=MS, announce-step=MS.`,
      );
    }
    asked[name] = Number(value);
  }
  const [interfaces = '', id = '', ...more] = words.filter((each) => !each.includes('='));
  if (more.length > 0) return say('announce_self [CARDS] [ID]: cards have commas between.');
  const announcement = { interfaces, id, ...(asked as typeof ANNOUNCED) };
  const { config, vmm } = view.machine.state;
  const why = refusedAnnouncement(config, vmm.net, announcement);
  return why === undefined ? { text: '', send: { kind: 'sim:announce_asked', ...announcement } } : say(why);
}

/** QEMU's calc_dirty_rate, by the dirty bitmap alone; what is refused is so in QEMU's words. */
function calcDirtyRate({ view }: MonitorSubject, words: readonly string[]): MonitorAnswer {
  // Behind the last flag a number may be less than 0.
  const flags = words.filter(
    (word, at) => word.startsWith('-') && !(at > 0 && words[at - 1] === '-b' && /\d/.test(word)),
  );
  const [second = '', ...more] = words.filter((word) => !flags.includes(word));
  const stranger = flags.find((flag) => !/^-[br]$/.test(flag));
  if (stranger !== undefined) return say(`calc_dirty_rate: unsupported option ${shortly(stranger.slice(0, 2))}`);
  if (!/^-?\d+$/.test(second)) return say('calc_dirty_rate -b SECONDS: say how many seconds.');
  if (more.length > 0) return say('calc_dirty_rate: extraneous characters at the end of line');
  const seconds = Number(second);
  if (seconds === 0) return say('Incorrect period length specified!');
  if (new Set(flags).size === 2) return say('Either dirty ring or dirty bitmap can be specified!');
  const why = refusedDirtyRate(view.machine.state.vmm.dirty, seconds);
  if (why !== undefined) return say(`Error: ${why}`);
  if (flags.includes('-r')) return say('Error: mode dirty-ring is not enabled, use other method instead.');
  if (flags.length === 0)
    return say('Pages are not sampled here: `calc_dirty_rate -b SECONDS` has KVM log all of them.');
  const text =
    `Starting dirty rate measurement with period ${seconds} seconds\n` +
    "[Please use 'info dirty_rate' to check results]";
  return { text, send: { kind: 'sim:dirty_rate_asked', seconds } };
}

const isAsleep = ({ view }: MonitorSubject): boolean => view.machine.state.vmm.sleep?.isAsleep === true;

function wakeUp(subject: MonitorSubject): MonitorAnswer {
  if (!isAsleep(subject)) return say('Unable to wake up: guest is not in suspended state');
  return { text: '', send: { kind: 'sim:wakeup_requested' } };
}

function statusText(subject: MonitorSubject): string {
  const { stopped } = subject.view.machine.state.vmm;
  const pause = stopped === undefined ? (subject.isStopped ? 'paused' : undefined) : `paused (${stopped.why})`;
  const status = pause ?? (isAsleep(subject) ? 'suspended' : 'running');
  return `VM status: ${status}, tick ${subject.view.machine.ticks}`;
}

const WIDTH = 28;

const helpText = (): string =>
  [
    ...Object.values(MONITOR_COMMANDS).map(({ usage, help }) => `${usage.padEnd(WIDTH)}${help}`),
    ...viewsHelp(WIDTH),
  ].join('\n');
