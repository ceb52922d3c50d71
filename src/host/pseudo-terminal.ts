import { spawnSync } from 'node:child_process';
import { closeSync, readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Problem } from '../base/problem.ts';
import { MOST_KEPT, type Peer } from './peer.ts';

/** Both ends of a pseudo terminal as open files that do not block, and the path of the end that others open. */
interface Pair {
  readonly master: number;
  readonly slave: number;
  readonly pty: string;
}

/** What of node-pty is used: the call below its terminals, which would run a program and read both ends. */
interface NodePty {
  readonly native?: { open?(columns: number, rows: number): Pair } | null;
}

/** Asked for where it is used: it is compiled where it is installed, and few want it. */
const nodePty = (): unknown => createRequire(import.meta.url)('node-pty');

/** What a serial terminal has, until who comes says otherwise. */
const [COLUMNS, ROWS] = [80, 24];
/** Nothing tells when somebody opens or closes the other end, or types there: it is looked at so often. */
const LOOK_MS = 20;
const MOST_AT_ONCE = 4096;

/** Make a pseudo terminal that people come to and leave. `rouse` is called when there is something to do. */
export function openPseudoTerminal(label: string, rouse: () => void, load = nodePty): Peer {
  const { master, slave, pty } = openPair(label, load);
  try {
    makeRaw(slave, label);
  } catch (error) {
    closeSync(master);
    throw error;
  } finally {
    // Its settings stay with the pair. Held open, nobody could tell whether anybody is there.
    closeSync(slave);
  }
  return new PseudoTerminal(master, pty, rouse);
}

class PseudoTerminal implements Peer {
  readonly where: string;
  isHere = false;
  private taken: Uint8Array[] = [];
  private kept = 0;
  /** What the reader has not room for yet. */
  private owed: Uint8Array[] = [];
  private readonly master: number;
  private readonly timer: NodeJS.Timeout;

  constructor(master: number, where: string, rouse: () => void) {
    this.master = master;
    this.where = where;
    this.timer = setInterval(() => {
      const [kept, wasBehind] = [this.kept, this.isBehind];
      this.look();
      if (this.kept !== kept || this.isBehind !== wasBehind) rouse();
    }, LOOK_MS);
  }

  get isBehind(): boolean {
    return this.owed.reduce((sum, { length }) => sum + length, 0) > MOST_KEPT;
  }

  take(): Uint8Array[] {
    this.look();
    const { taken } = this;
    this.taken = [];
    this.kept = 0;
    return taken;
  }

  write(bytes: Uint8Array): void {
    if (!this.isHere) return;
    this.owed.push(bytes);
    this.pay();
  }

  close(): void {
    clearInterval(this.timer);
    this.isHere = false;
    closeSync(this.master);
  }

  private look(): void {
    while (this.kept <= MOST_KEPT) {
      const typed = read(this.master);
      this.isHere = typed !== 'nobody';
      if (typeof typed === 'string') break;
      this.taken.push(typed);
      this.kept += typed.length;
    }
    this.pay();
  }

  /** Write what there is room for; what was for somebody who left is lost. */
  private pay(): void {
    if (!this.isHere) this.owed = [];
    for (let [bytes] = this.owed; bytes !== undefined; [bytes] = this.owed) {
      const written = write(this.master, bytes);
      if (written < bytes.length) {
        this.owed[0] = bytes.subarray(written);
        return;
      }
      this.owed.shift();
    }
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

function read(master: number): Uint8Array | 'nothing' | 'nobody' {
  const bytes = new Uint8Array(MOST_AT_ONCE);
  try {
    const length = readSync(master, bytes);
    return length === 0 ? 'nobody' : bytes.subarray(0, length);
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return 'nothing';
    // As Linux says that no other end is open.
    if (codeOf(error) === 'EIO') return 'nobody';
    throw error;
  }
}

function write(master: number, bytes: Uint8Array): number {
  try {
    return writeSync(master, bytes);
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return 0;
    throw error;
  }
}

/** How one comes to a pseudo terminal all the same. */
const OTHERWISE = 'give unix:PATH,server=on and join one with `socat PTY,link=tty UNIX-CONNECT:PATH`';

function openPair(label: string, load: () => unknown): Pair {
  let open: ((columns: number, rows: number) => Pair) | undefined;
  try {
    open = (load() as NodePty).native?.open;
  } catch (error) {
    const isMissing = codeOf(error) === 'MODULE_NOT_FOUND';
    throw noTerminal(label, isMissing ? 'is not installed' : `does not load (${firstLine(error)})`);
  }
  if (open === undefined) throw noTerminal(label, 'of another version is installed');
  try {
    return open(COLUMNS, ROWS);
  } catch (error) {
    throw new Problem(`Cannot open a pseudo terminal for ${label}: ${firstLine(error)}`);
  }
}

const noTerminal = (label: string, why: string): Problem =>
  new Problem(
    `Cannot open a pseudo terminal for ${label}: Node opens none, and node-pty ${why}. ` +
      `Say \`npm install node-pty@1.1.0\` where Retrovisor is installed, or ${OTHERWISE}.`,
  );

const firstLine = (error: unknown): string => String((error as Error).message).split('\n')[0] as string;

/** Every byte passes as it is, both ways, and none comes back. Node's own raw mode makes CR LF of what is typed. */
function makeRaw(slave: number, label: string): void {
  const { status, error, stderr } = spawnSync('stty', ['raw', '-echo', '-iexten'], {
    stdio: [slave, 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  if (status === 0) return;
  throw new Problem(`Cannot make the pseudo terminal for ${label} raw: ${error?.message ?? stderr.trim()}.`);
}
