/** What facts do to the edu device. */
import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer } from '../device.ts';
import { DMA, FIRST_WIDE, INTERRUPT, REGISTER, STATUS } from './registers.ts';
import { type EduState, FACTORIAL } from './state.ts';

type Edu = Draft<EduState>;

function write(edu: Edu, offset: number, value: number): void {
  switch (offset) {
    case REGISTER.liveness:
      edu.liveness = ~value >>> 0;
      return;
    case REGISTER.factorial:
      if ((edu.status & STATUS.computing) !== 0) return;
      edu.factorial = value;
      edu.status |= STATUS.computing;
      return;
    case REGISTER.status:
      edu.status = (edu.status & ~STATUS.interrupts) | (value & STATUS.interrupts);
      return;
    case REGISTER.interruptRaise:
      edu.interruptStatus = (edu.interruptStatus | value) >>> 0;
      return;
    case REGISTER.interruptAcknowledge:
      edu.interruptStatus = (edu.interruptStatus & ~value) >>> 0;
      return;
    default:
      writeDma(edu, offset, value);
  }
}

/** While a transfer is under way its registers ignore writes. */
function writeDma({ dma }: Edu, offset: number, value: number): void {
  if ((dma.command & DMA.run) !== 0) return;
  if (offset === REGISTER.dmaSource) dma.source = value;
  else if (offset === REGISTER.dmaDestination) dma.destination = value;
  else if (offset === REGISTER.dmaCount) dma.count = value;
  else if (offset === REGISTER.dmaCommand && (value & DMA.run) !== 0) dma.command = value;
}

/** In 32 bits, which a factorial soon leaves. */
function factorialOf(n: number): number {
  let product = 1;
  // From 34 on the product is 0: there are 32 factors of two in it.
  for (let factor = n; factor > 0 && product !== 0; factor--) product = Math.imul(product, factor);
  return product >>> 0;
}

export const EDU_REDUCER: DeviceReducer<EduState> = {
  written(edu, { offset, size, value }) {
    if (size === 4 || (size === 8 && offset >= FIRST_WIDE)) write(edu, offset, value);
  },
  fired(edu, timer) {
    if (timer !== FACTORIAL) {
      edu.dma.command -= edu.dma.command & DMA.run;
      if ((edu.dma.command & DMA.interrupts) !== 0) edu.interruptStatus |= INTERRUPT.dma;
      return;
    }
    edu.factorial = factorialOf(edu.factorial);
    edu.status &= ~STATUS.computing;
    if ((edu.status & STATUS.interrupts) !== 0) edu.interruptStatus |= INTERRUPT.factorial;
  },
  facts: {
    'sim:device_data'(edu, { offset, bytes }) {
      for (const [at, byte] of bytes.entries()) edu.buffer[offset + at] = byte;
    },
  },
};
