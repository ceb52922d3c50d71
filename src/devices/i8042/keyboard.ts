import type { Draft } from '../../base/draft.ts';
import { QUEUE_SIZE, REPLY, SET_2 } from './registers.ts';
import { keyboardAtReset, type Ps2Keyboard } from './state.ts';

type Keyboard = Draft<Ps2Keyboard>;

/** Commands to the keyboard. IBM PS/2 Technical Reference, keyboard (101- and 102-key). */
const COMMAND = {
  setLeds: 0xed,
  echo: 0xee,
  scanCodeSet: 0xf0,
  identify: 0xf2,
  setRate: 0xf3,
  enable: 0xf4,
  disable: 0xf5,
  defaults: 0xf6,
  setAllKeys: 0xfa,
  setKeyMakeBreak: 0xfc,
  reset: 0xff,
} as const;

/** A byte from the host. `translate`: the controller converts to set 1, which shows in the identity. */
export function commandKeyboard(keyboard: Keyboard, byte: number, translate: boolean): void {
  if (keyboard.expecting >= 0) takeParameter(keyboard, byte, translate);
  else keyboard.replies = replies(keyboard, byte, translate);
}

/** Keys in scan code set 1 (break codes with bit 7), as they reach a translating controller. */
export function typeKeys(keyboard: Keyboard, codes: Iterable<number>, translate: boolean): void {
  if (!keyboard.enabled) return;
  for (const code of codes) {
    const raw = translate || keyboard.scanCodeSet === 1 || code >= 0xe0 ? [code] : toSet2(code);
    if (keyboard.queue.length + raw.length < QUEUE_SIZE) keyboard.queue.push(...raw);
  }
}

function toSet2(code: number): number[] {
  const make = SET_2[code & 0x7f] ?? 0;
  return code & 0x80 ? [0xf0, make] : [make];
}

function replies(keyboard: Keyboard, byte: number, translate: boolean): number[] {
  const { acknowledge, resend, testPassed } = REPLY;
  switch (byte) {
    case 0x00:
    case COMMAND.setAllKeys:
      return [acknowledge];
    case COMMAND.identify:
      return [acknowledge, 0xab, translate ? 0x41 : 0x83];
    case COMMAND.echo:
      return [REPLY.echo];
    case COMMAND.enable:
      keyboard.enabled = true;
      return [acknowledge];
    case COMMAND.scanCodeSet:
    case COMMAND.setLeds:
    case COMMAND.setRate:
    case COMMAND.setKeyMakeBreak:
      return expect(keyboard, byte);
    case COMMAND.disable:
    case COMMAND.defaults:
      Object.assign(keyboard, keyboardAtReset(), { enabled: byte === COMMAND.defaults });
      return [acknowledge];
    case COMMAND.reset:
      Object.assign(keyboard, keyboardAtReset());
      return [acknowledge, testPassed];
    default:
      return [resend];
  }
}

function expect(keyboard: Keyboard, command: number): number[] {
  keyboard.expecting = command;
  return [REPLY.acknowledge];
}

/** What a translating controller makes of the bytes 1, 2 and 3. */
const TRANSLATED_SETS: Readonly<Record<number, number>> = { 1: 0x43, 2: 0x41, 3: 0x3f };

function takeParameter(keyboard: Keyboard, byte: number, translate: boolean): void {
  const command = keyboard.expecting;
  keyboard.expecting = -1;
  keyboard.replies = [REPLY.acknowledge];
  if (command === COMMAND.setLeds) keyboard.leds = byte;
  if (command !== COMMAND.scanCodeSet) return;
  const set = keyboard.scanCodeSet;
  if (byte === 0) keyboard.replies.push(translate ? TRANSLATED_SETS[set]! : set);
  else if (byte <= 3) keyboard.scanCodeSet = byte;
  else keyboard.replies = [REPLY.resend];
}
