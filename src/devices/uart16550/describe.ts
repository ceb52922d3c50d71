import { BAUD_BASE, FCR, IIR } from './registers.ts';
import type { UartState } from './state.ts';

/** What a stopped person wants to know of a serial port. */
export function describeUart(uart: UartState): Readonly<Record<string, string>> {
  return {
    line: `COM${uart.line + 1}`,
    speed: uart.divisor === 0 ? 'none' : `${Math.floor(BAUD_BASE / uart.divisor)} baud`,
    fifos: uart.fcr & FCR.enable ? `on, ${uart.receiverFifo.length} received` : 'off',
    waiting: `${uart.waiting.length} bytes`,
    irq: uart.iir === IIR.none ? 'low' : 'high',
    ...bytes(uart),
  };
}

function bytes(uart: UartState): Record<string, string> {
  const { ier, iir, fcr, lcr, mcr, lsr, msr, scr } = uart;
  const named = Object.entries({ ier, iir, fcr, lcr, mcr, lsr, msr, scr });
  return Object.fromEntries(named.map(([name, value]) => [name, `0x${value.toString(16).padStart(2, '0')}`]));
}
