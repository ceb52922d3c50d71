import type { Effects } from '../device.ts';
import { COMMAND, isPulse, MODE, OUTPUT_PORT, STATUS } from './registers.ts';
import { type I8042State, isOutputFull, type OutputSource, type Ps2Port } from './state.ts';

/** Read port 0x60: the output buffer, and what waits behind it moves up. */
export function readData(kbc: I8042State, effects: Effects): number {
  if (!isOutputFull(kbc)) return kbc.outputByte;
  const { source } = kbc;
  effects.commit();
  driveLines(kbc, effects);
  fillOutput(kbc, effects, source);
  return kbc.outputByte;
}

/** Write port 0x60: a parameter of the controller's last command, or a byte for the keyboard. */
export function writeData(kbc: I8042State, byte: number, effects: Effects): void {
  const command = kbc.expecting;
  effects.commit();
  if (command === COMMAND.writeOutputPort) {
    effects.pin('a20', (byte & OUTPUT_PORT.a20) !== 0);
    if ((byte & OUTPUT_PORT.notReset) === 0) effects.requestReset();
    return;
  }
  if (command === COMMAND.writeMode) driveLines(kbc, effects);
  fillOutput(kbc, effects);
}

/** Write port 0x64: a command. 0xf0-0xff pulse the output port's low bits, of which bit 0 is the reset line. */
export function writeCommand(kbc: I8042State, command: number, effects: Effects): void {
  effects.commit();
  if (isPulse(command)) {
    if ((command & OUTPUT_PORT.notReset) === 0) effects.requestReset();
  } else if (command === COMMAND.enableA20 || command === COMMAND.disableA20) {
    effects.pin('a20', command === COMMAND.enableA20);
  } else if (FILLING.has(command)) fillOutput(kbc, effects);
}

/** System reset. */
export function resetI8042(kbc: I8042State, effects: Effects): void {
  effects.commit();
  driveLines(kbc, effects);
}

/** Keys were pressed: a machine that sleeps wakes up. */
export function takeKeys(kbc: I8042State, effects: Effects): void {
  effects.requestWakeup('other');
  fillOutput(kbc, effects);
}

/** Commands after which somebody may have a byte for the output buffer: those with an answer and those that enable. */
const FILLING: ReadonlySet<number> = new Set([
  COMMAND.readMode,
  COMMAND.testAuxiliary,
  COMMAND.testKeyboard,
  COMMAND.readInputPort,
  COMMAND.readOutputPort,
  COMMAND.selfTest,
  COMMAND.enableAuxiliary,
  COMMAND.enableKeyboard,
]);

const hasData = (port: Ps2Port): boolean => port.replies.length > 0 || port.queue.length > 0;

/**
 * Fill an empty output buffer: the controller first, then the keyboard, then the mouse, unless disabled. Whoever
 * was `served` last lets the others go first.
 */
function fillOutput(kbc: I8042State, effects: Effects, served?: OutputSource): void {
  if (isOutputFull(kbc)) return;
  const source = nextSource(kbc, served) ?? nextSource(kbc);
  if (source === undefined) return;
  effects.raise({ kind: 'sim:kbc_filled', source });
  driveLines(kbc, effects);
}

function nextSource(kbc: I8042State, served?: OutputSource): OutputSource | undefined {
  const { mode } = kbc;
  if (kbc.own !== false) return 'own';
  if (served !== 'keyboard' && hasData(kbc.keyboard) && (mode & MODE.keyboardDisabled) === 0) return 'keyboard';
  if (served !== 'mouse' && hasData(kbc.mouse) && (mode & MODE.auxiliaryDisabled) === 0) return 'mouse';
  return undefined;
}

/** irq 1 and irq 12 follow the output buffer, as far as the command byte enables them. */
function driveLines(kbc: I8042State, effects: Effects): void {
  const full = isOutputFull(kbc);
  const auxiliary = (kbc.status & STATUS.auxiliaryFull) !== 0;
  const keyboardWants = (kbc.mode & MODE.keyboardInterrupt) !== 0 && (kbc.mode & MODE.keyboardDisabled) === 0;
  effects.pin('irq1', full && !auxiliary && keyboardWants);
  effects.pin('irq12', full && auxiliary && (kbc.mode & MODE.auxiliaryInterrupt) !== 0);
}
