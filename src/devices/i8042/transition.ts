import type { Effects } from '../device.ts';
import { commandKeyboard, typeKeys } from './keyboard.ts';
import { commandMouse } from './mouse.ts';
import { COMMAND, MODE, OUTPUT_PORT, STATUS } from './registers.ts';
import { type I8042State, i8042AtReset, type Ps2Port } from './state.ts';

/** Read port 0x60: the output buffer, and what waits behind it moves up. */
export function readData(kbc: I8042State, effects: Effects): number {
  if ((kbc.status & STATUS.outputFull) === 0) return kbc.outputByte;
  const { source } = kbc;
  kbc.status &= ~(STATUS.outputFull | STATUS.auxiliaryFull);
  kbc.outputPort &= ~(OUTPUT_PORT.keyboardFull | OUTPUT_PORT.auxiliaryFull);
  driveLines(kbc, effects);
  if (source === 'own') {
    if (kbc.own !== false) kbc.outputByte = kbc.own.byte;
    kbc.own = false;
  } else {
    const port = kbc[source];
    kbc.outputByte = port.replies.shift() ?? port.queue.shift() ?? kbc.outputByte;
  }
  fillOutput(kbc, effects, source);
  return kbc.outputByte;
}

/** Write port 0x60: a parameter of the controller's last command, or a byte for the keyboard. */
export function writeData(kbc: I8042State, byte: number, effects: Effects): void {
  const command = kbc.expecting;
  kbc.expecting = 0;
  switch (command) {
    case 0:
      commandKeyboard(kbc.keyboard, byte, translates(kbc));
      kbc.mode &= ~MODE.keyboardDisabled;
      fillOutput(kbc, effects);
      break;
    case COMMAND.writeMode:
      kbc.mode = byte;
      driveLines(kbc, effects);
      fillOutput(kbc, effects);
      break;
    case COMMAND.writeKeyboardBuffer:
    case COMMAND.writeAuxiliaryBuffer:
      sayOwn(kbc, byte, effects, command === COMMAND.writeAuxiliaryBuffer);
      break;
    case COMMAND.writeOutputPort:
      writeOutputPort(kbc, byte, effects);
      break;
    case COMMAND.writeAuxiliary:
      commandMouse(kbc.mouse, byte);
      kbc.mode &= ~MODE.auxiliaryDisabled;
      fillOutput(kbc, effects);
      break;
  }
}

/** Write port 0x64: a command. 0xf0-0xff pulse the output port's low bits, of which bit 0 is the reset line. */
export function writeCommand(kbc: I8042State, command: number, effects: Effects): void {
  if ((command & COMMAND.pulse) === COMMAND.pulse) {
    if ((command & 1) === 0) effects.ask({ ask: 'reset' });
    return;
  }
  const answer = ANSWERS[command]?.(kbc);
  if (answer !== undefined) {
    sayOwn(kbc, answer, effects);
    return;
  }
  switch (command) {
    case COMMAND.writeMode:
    case COMMAND.writeKeyboardBuffer:
    case COMMAND.writeAuxiliaryBuffer:
    case COMMAND.writeAuxiliary:
    case COMMAND.writeOutputPort:
      kbc.expecting = command;
      break;
    case COMMAND.disableAuxiliary:
      kbc.mode |= MODE.auxiliaryDisabled;
      break;
    case COMMAND.disableKeyboard:
      kbc.mode |= MODE.keyboardDisabled;
      break;
    case COMMAND.enableAuxiliary:
      kbc.mode &= ~MODE.auxiliaryDisabled;
      fillOutput(kbc, effects);
      break;
    case COMMAND.enableKeyboard:
      kbc.mode &= ~MODE.keyboardDisabled;
      fillOutput(kbc, effects);
      break;
    case COMMAND.enableA20:
    case COMMAND.disableA20:
      switchA20(kbc, command === COMMAND.enableA20, effects);
      break;
  }
}

/** Keys in scan code set 1. */
export function receiveKeys(kbc: I8042State, codes: Uint8Array, effects: Effects): void {
  typeKeys(kbc.keyboard, codes, translates(kbc));
  fillOutput(kbc, effects);
}

/** System reset. */
export function resetI8042(kbc: I8042State, effects: Effects): void {
  Object.assign(kbc, i8042AtReset(), { outputByte: kbc.outputByte });
  driveLines(kbc, effects);
}

/** Commands that answer with a byte. */
const ANSWERS: Readonly<Record<number, (kbc: I8042State) => number>> = {
  [COMMAND.readMode]: (kbc) => kbc.mode,
  [COMMAND.testAuxiliary]: () => 0x00,
  [COMMAND.testKeyboard]: () => 0x00,
  [COMMAND.readInputPort]: () => 0x80,
  [COMMAND.readOutputPort]: (kbc) => kbc.outputPort,
  [COMMAND.selfTest]: (kbc) => {
    kbc.status |= STATUS.selfTest;
    return 0x55;
  },
};

const translates = (kbc: I8042State): boolean => (kbc.mode & MODE.translate) !== 0;
const hasData = (port: Ps2Port): boolean => port.replies.length > 0 || port.queue.length > 0;

/** The controller's own byte waits until the output buffer is read; a newer one replaces it. */
function sayOwn(kbc: I8042State, byte: number, effects: Effects, auxiliary = false): void {
  kbc.own = { byte, auxiliary };
  fillOutput(kbc, effects);
}

/**
 * Fill an empty output buffer: the controller first, then the keyboard, then the mouse, unless disabled. Whoever
 * was `served` last lets the others go first.
 */
function fillOutput(kbc: I8042State, effects: Effects, served?: I8042State['source']): void {
  if (kbc.status & STATUS.outputFull) return;
  const source = nextSource(kbc, served) ?? nextSource(kbc);
  if (source === undefined) return;
  kbc.source = source;
  const auxiliary = source === 'mouse' || (source === 'own' && kbc.own !== false && kbc.own.auxiliary);
  kbc.status |= STATUS.outputFull | (auxiliary ? STATUS.auxiliaryFull : 0);
  kbc.outputPort &= ~OUTPUT_PORT.auxiliaryFull;
  kbc.outputPort |= OUTPUT_PORT.keyboardFull | (auxiliary ? OUTPUT_PORT.auxiliaryFull : 0);
  driveLines(kbc, effects);
}

function nextSource(kbc: I8042State, served?: I8042State['source']): I8042State['source'] | undefined {
  const { mode } = kbc;
  if (kbc.own !== false) return 'own';
  if (served !== 'keyboard' && hasData(kbc.keyboard) && (mode & MODE.keyboardDisabled) === 0) return 'keyboard';
  if (served !== 'mouse' && hasData(kbc.mouse) && (mode & MODE.auxiliaryDisabled) === 0) return 'mouse';
  return undefined;
}

/** irq 1 and irq 12 follow the output buffer, as far as the command byte enables them. */
function driveLines(kbc: I8042State, effects: Effects): void {
  const full = (kbc.status & STATUS.outputFull) !== 0;
  const auxiliary = (kbc.status & STATUS.auxiliaryFull) !== 0;
  const keyboardWants = (kbc.mode & MODE.keyboardInterrupt) !== 0 && (kbc.mode & MODE.keyboardDisabled) === 0;
  effects.pin('irq1', full && !auxiliary && keyboardWants);
  effects.pin('irq12', full && auxiliary && (kbc.mode & MODE.auxiliaryInterrupt) !== 0);
}

function writeOutputPort(kbc: I8042State, byte: number, effects: Effects): void {
  kbc.outputPort = byte;
  effects.pin('a20', (byte & OUTPUT_PORT.a20) !== 0);
  if ((byte & OUTPUT_PORT.notReset) === 0) effects.ask({ ask: 'reset' });
}

function switchA20(kbc: I8042State, open: boolean, effects: Effects): void {
  kbc.outputPort = open ? kbc.outputPort | OUTPUT_PORT.a20 : kbc.outputPort & ~OUTPUT_PORT.a20;
  effects.pin('a20', open);
}
