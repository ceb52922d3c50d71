import { spawn } from 'node:child_process';
import { Problem } from '../base/problem.ts';
import type { Interrupt } from '../host/interrupt.ts';

const LINES_SHOWN = 8;
const MOST_SAID = 1 << 14;

/** A check that takes longer has failed: of a damaged disk some never come to an end. */
const LONGEST_MS = 60_000;
const LOOK_MS = 100;

/** How a person judges what power loss left: a command of the shell, and what is put into it. */
export interface Check {
  /** `{}` is the image, `{console}` a file with all that the guest had printed. */
  readonly command: string;
  readonly image: string;
  readonly console: string;
}

/** What a check came to, and the last lines it said. */
interface Checked {
  readonly isSound: boolean;
  readonly said: readonly string[];
}

const quoted = (path: string): string => `'${path.replaceAll("'", "'\\''")}'`;

/** Run the check on the files as they are. Its status says whether the image is sound. */
export function checked({ command: text, image, console }: Check, interrupt: Interrupt): Promise<Checked> {
  const command = text.replace(/\{(?:console)?\}/g, (place) => quoted(place === '{}' ? image : console));
  // A group of its own, so that all of it can be ended.
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const begun = performance.now();
  let said = '';
  const hear = (bytes: Buffer): void => {
    if (said.length < MOST_SAID) said += bytes.toString();
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  let isTooLong = false;
  const watch = setInterval(() => {
    isTooLong ||= performance.now() - begun > LONGEST_MS;
    if (isTooLong || interrupt.isAsked) endGroup(child.pid);
  }, LOOK_MS);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      clearInterval(watch);
      reject(new Problem(`The check cannot be started: ${error.message}.`));
    });
    child.once('close', (code) => {
      clearInterval(watch);
      const late = isTooLong ? [`It was ended after ${LONGEST_MS / 1000} s.`] : [];
      resolve({ isSound: code === 0, said: [...said.trim().split('\n').slice(-LINES_SHOWN), ...late] });
    });
  });
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
