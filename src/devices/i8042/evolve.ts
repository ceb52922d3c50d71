/** What facts do to the keyboard controller and its two devices. */
import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer } from '../device.ts';
import { commandKeyboard, typeKeys } from './keyboard.ts';
import { commandMouse } from './mouse.ts';
import { COMMAND, isPulse, MODE, OUTPUT_PORT, REGION, STATUS } from './registers.ts';
import { type I8042State, i8042AtReset, type OutputSource, translates } from './state.ts';

type Kbc = Draft<I8042State>;

/** Port 0x60: a parameter of the controller's last command, or a byte for the keyboard. */
function writeData(kbc: Kbc, byte: number): void {
  const command = kbc.expecting;
  kbc.expecting = 0;
  switch (command) {
    case 0:
      commandKeyboard(kbc.keyboard, byte, translates(kbc));
      kbc.mode &= ~MODE.keyboardDisabled;
      break;
    case COMMAND.writeMode:
      kbc.mode = byte;
      break;
    case COMMAND.writeKeyboardBuffer:
    case COMMAND.writeAuxiliaryBuffer:
      kbc.own = { byte, auxiliary: command === COMMAND.writeAuxiliaryBuffer };
      break;
    case COMMAND.writeOutputPort:
      kbc.outputPort = byte;
      break;
    case COMMAND.writeAuxiliary:
      commandMouse(kbc.mouse, byte);
      kbc.mode &= ~MODE.auxiliaryDisabled;
      break;
  }
}

/** Port 0x64: a command. The controller's own answer replaces one that was not read yet. */
function writeCommand(kbc: Kbc, command: number): void {
  if (isPulse(command)) return;
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
      break;
    case COMMAND.enableKeyboard:
      kbc.mode &= ~MODE.keyboardDisabled;
      break;
    case COMMAND.enableA20:
      kbc.outputPort |= OUTPUT_PORT.a20;
      break;
    case COMMAND.disableA20:
      kbc.outputPort &= ~OUTPUT_PORT.a20;
      break;
    case COMMAND.selfTest:
      kbc.status |= STATUS.selfTest;
      answer(kbc, 0x55);
      break;
    case COMMAND.testAuxiliary:
    case COMMAND.testKeyboard:
      answer(kbc, 0x00);
      break;
    case COMMAND.readMode:
      answer(kbc, kbc.mode);
      break;
    case COMMAND.readInputPort:
      answer(kbc, 0x80);
      break;
    case COMMAND.readOutputPort:
      answer(kbc, kbc.outputPort);
      break;
  }
}

function answer(kbc: Kbc, byte: number): void {
  kbc.own = { byte, auxiliary: false };
}

/** The output buffer is read: the byte leaves where it came from. */
function takeByte(kbc: Kbc): void {
  kbc.status &= ~(STATUS.outputFull | STATUS.auxiliaryFull);
  kbc.outputPort &= ~(OUTPUT_PORT.keyboardFull | OUTPUT_PORT.auxiliaryFull);
  if (kbc.source === 'own') {
    if (kbc.own !== false) kbc.outputByte = kbc.own.byte;
    kbc.own = false;
  } else {
    const port = kbc[kbc.source];
    kbc.outputByte = port.replies.shift() ?? port.queue.shift() ?? kbc.outputByte;
  }
}

function fill(kbc: Kbc, source: OutputSource): void {
  const auxiliary = source === 'mouse' || (source === 'own' && kbc.own !== false && kbc.own.auxiliary);
  kbc.source = source;
  kbc.status |= STATUS.outputFull | (auxiliary ? STATUS.auxiliaryFull : 0);
  kbc.outputPort &= ~OUTPUT_PORT.auxiliaryFull;
  kbc.outputPort |= OUTPUT_PORT.keyboardFull | (auxiliary ? OUTPUT_PORT.auxiliaryFull : 0);
}

export const I8042_REDUCER: DeviceReducer<I8042State> = {
  written(kbc, { region, value }) {
    if (region === REGION.data) writeData(kbc, value);
    else writeCommand(kbc, value);
  },
  taken: takeByte,
  reset(kbc) {
    const { outputByte } = kbc;
    Object.assign(kbc, i8042AtReset(), { outputByte });
  },
  facts: {
    'sim:kbc_filled'(kbc, { source }) {
      fill(kbc, source as OutputSource);
    },
    'sim:keyboard_received'(kbc, { bytes }) {
      typeKeys(kbc.keyboard, bytes, translates(kbc));
    },
  },
};
