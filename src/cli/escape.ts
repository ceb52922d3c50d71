/** What a key press on the console means once Ctrl-A has been taken out. */
export type KeyMeaning =
  | { readonly key: 'typed'; readonly bytes: Uint8Array }
  | { readonly key: 'quit' }
  | { readonly key: 'monitor' }
  | { readonly key: 'help' };

/** Whether Ctrl-A was the last key. */
export interface EscapeState {
  pending: boolean;
}

/** No key pressed yet. */
export const escapeAtStart = (): EscapeState => ({ pending: false });

const CTRL_A = 0x01;
const MEANINGS: Readonly<Record<string, KeyMeaning>> = {
  x: { key: 'quit' },
  c: { key: 'monitor' },
  h: { key: 'help' },
  '?': { key: 'help' },
};

/** What the keys of Ctrl-A do, as QEMU prints it for `-nographic`. */
export const ESCAPE_HELP = [
  'C-a h    this help',
  'C-a x    end the run',
  'C-a c    to the monitor and back',
  'C-a C-a  send C-a',
  '',
].join('\n');

/** Divide key presses into what goes to the guest and what is meant for us. QEMU chardev/char-mux.c, "mux escape". */
export function keyMeanings(state: EscapeState, bytes: Uint8Array): KeyMeaning[] {
  const meanings: KeyMeaning[] = [];
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
    const meaning = MEANINGS[String.fromCharCode(byte).toLowerCase()];
    if (byte === CTRL_A) typed.push(byte);
    else if (meaning !== undefined) {
      flush();
      meanings.push(meaning);
    }
  }
  flush();
  return meanings;
}
