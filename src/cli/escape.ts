/** What a key press on the console means once Ctrl-A has been taken out. */
export type KeyMeaning<K extends string = OfOneMachine> =
  | { readonly key: 'typed'; readonly bytes: Uint8Array }
  | { readonly key: K };

type OfOneMachine = 'quit' | 'monitor' | 'help';

/** Whether Ctrl-A was the last key. */
export interface EscapeState {
  pending: boolean;
}

/** No key pressed yet. */
export const escapeAtStart = (): EscapeState => ({ pending: false });

const CTRL_A = 0x01;

/** What a key means behind Ctrl-A. */
type Meanings<K extends string> = Readonly<Record<string, K>>;

const OF_ONE_MACHINE: Meanings<OfOneMachine> = { x: 'quit', c: 'monitor', h: 'help', '?': 'help' };

/** What the keys of Ctrl-A do, as QEMU prints it for `-nographic`. */
export const ESCAPE_HELP = [
  'C-a h    this help',
  'C-a x    end the run',
  'C-a c    to the monitor and back',
  'C-a C-a  send C-a',
  '',
].join('\n');

/** Divide key presses into what goes to the guest and what is meant for us. QEMU chardev/char-mux.c, "mux escape". */
export function keyMeanings(state: EscapeState, bytes: Uint8Array): KeyMeaning[];
export function keyMeanings<K extends string>(state: EscapeState, bytes: Uint8Array, of: Meanings<K>): KeyMeaning<K>[];
export function keyMeanings(
  state: EscapeState,
  bytes: Uint8Array,
  of: Meanings<string> = OF_ONE_MACHINE,
): KeyMeaning<string>[] {
  const meanings: KeyMeaning<string>[] = [];
  let typed: number[] = [];
  const flush = (): void => {
    if (typed.length > 0) meanings.push({ key: 'typed', bytes: Uint8Array.from(typed) });
    typed = [];
  };
  for (const byte of bytes) {
    if (!state.pending) {
      if (byte === CTRL_A) state.pending = true;
      else typed.push(byte);
      continue;
    }
    state.pending = false;
    const key = of[String.fromCharCode(byte).toLowerCase()];
    if (byte === CTRL_A) typed.push(byte);
    else if (key !== undefined) {
      flush();
      meanings.push({ key });
    }
  }
  flush();
  return meanings;
}
