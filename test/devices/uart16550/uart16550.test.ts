import { describe, expect, it } from 'vitest';
import { UART_REDUCER, uart16550, uartAtReset } from '../../../src/devices/uart16550/index.ts';
import { Bench } from '../recorder.ts';

const [RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 3, 4, 5, 6, 7];
const FCR = IIR;
const CHARACTER_9600 = Math.floor((1e9 * 10) / 9600);

const bench = () => new Bench(uart16550, UART_REDUCER, uartAtReset(0));
type Port = ReturnType<typeof bench>;
const sent = (b: Port) => b.raised.flatMap((event) => (event.kind === 'sim:serial_sent' ? [event.byte] : []));
const receive = (b: Port, ...bytes: number[]) =>
  b.receive({ kind: 'sim:serial_received', line: 0, bytes: Uint8Array.from(bytes) });

describe('16550A at reset', () => {
  it('shows the values of data sheet table III with a terminal attached', () => {
    const b = bench();
    expect([IER, IIR, LCR, LSR, MSR].map((r) => b.read(r))).toEqual([0x00, 0x01, 0x00, 0x60, 0xb0]);
  });

  it('stands at 9600 baud and keeps a divisor behind DLAB', () => {
    const b = bench();
    b.write(LCR, 0x83);
    expect([b.read(0), b.read(1)]).toEqual([12, 0]);
    b.write(0, 0x34);
    b.write(1, 0x12);
    b.write(LCR, 0x03);
    expect(b.state.divisor).toBe(0x1234);
    expect(b.read(IER)).toBe(0);
  });
});

describe('Linux 8250 autoconfig', () => {
  it('finds a UART: IER holds only its low four bits', () => {
    const b = bench();
    b.write(IER, 0);
    expect(b.read(IER) & 0x0f).toBe(0);
    b.write(IER, 0x0f);
    expect(b.read(IER)).toBe(0x0f);
    b.write(IER, 0xf0);
    expect(b.read(IER)).toBe(0);
  });

  it('passes the loopback test: RTS and OUT2 come back as CTS and DCD', () => {
    const b = bench();
    const saved = b.read(MCR);
    b.write(MCR, 0x10 | 0x0a);
    expect(b.read(MSR) & 0xf0).toBe(0x90);
    b.write(MCR, saved);
  });

  it('names itself 16550A: both FIFO bits stick, there is no 16650 or 16750 behind', () => {
    const b = bench();
    b.write(FCR, 0x01);
    expect(b.read(IIR) >> 6).toBe(3);
    b.write(LCR, 0x80);
    b.write(FCR, 0x21);
    expect(b.read(IIR) & 0x20).toBe(0);
    b.write(LCR, 0);
    b.write(FCR, 0);
    expect(b.read(IIR) >> 6).toBe(0);
  });

  it('has a scratch register', () => {
    const b = bench();
    b.write(SCR, 0xa5);
    expect(b.read(SCR)).toBe(0xa5);
  });

  it('reasserts THRE each time its interrupt is enabled (no UART_BUG_THRE)', () => {
    const b = bench();
    for (let round = 0; round < 2; round++) {
      b.write(IER, 0x02);
      expect(b.read(IIR) & 0x0f).toBe(0x02);
      expect(b.read(IIR) & 0x01).toBe(0x01);
      b.write(IER, 0);
    }
  });

  it('interrupts on enabling THRI with an empty transmitter (no UART_BUG_TXEN)', () => {
    const b = bench();
    b.write(IER, 0x02);
    expect(b.read(LSR) & 0x40).toBe(0x40);
    expect(b.read(IIR) & 0x01).toBe(0);
  });
});

describe('transmitter', () => {
  it('sends at once and asks for the next byte by interrupt', () => {
    const b = bench();
    b.write(IER, 0x02);
    b.read(IIR);
    expect(b.pin()).toBe(false);
    b.write(RBR, 0x41);
    expect(sent(b)).toEqual([0x41]);
    expect(b.raised).toEqual([{ kind: 'sim:serial_sent', line: 0, byte: 0x41 }]);
    expect(b.read(LSR) & 0x60).toBe(0x60);
    expect(b.pin()).toBe(true);
  });

  it('keeps polled output free of interrupts', () => {
    const b = bench();
    b.write(RBR, 0x42);
    expect(b.pin()).toBe(false);
  });

  it('hears itself in loopback and sends nothing', () => {
    const b = bench();
    b.write(MCR, 0x10);
    b.write(RBR, 0x55);
    expect(sent(b)).toEqual([]);
    expect(b.read(LSR) & 1).toBe(1);
    expect(b.read(RBR)).toBe(0x55);
    expect(b.read(LSR) & 1).toBe(0);
  });
});

describe('receiver', () => {
  it('interrupts for each byte without FIFOs and holds the rest back on the wire', () => {
    const b = bench();
    b.write(IER, 0x01);
    receive(b, 1, 2, 3);
    expect(b.read(IIR) & 0x0f).toBe(0x04);
    expect([b.read(RBR), b.read(RBR), b.read(RBR)]).toEqual([1, 2, 3]);
    expect(b.read(LSR) & 0x03).toBe(0);
    expect(b.pin()).toBe(false);
  });

  it('interrupts at the trigger level with FIFOs on', () => {
    const b = bench();
    b.write(FCR, 0x81);
    b.write(IER, 0x01);
    receive(b, 1, 2, 3, 4, 5, 6, 7);
    expect(b.pin()).toBe(false);
    receive(b, 8);
    expect(b.read(IIR)).toBe(0xc4);
    expect(b.pin()).toBe(true);
  });

  it('times out after four characters below the trigger level', () => {
    const b = bench();
    b.write(FCR, 0xc1);
    b.write(IER, 0x01);
    b.write(LCR, 0x03);
    receive(b, 0x0d);
    b.pass(4 * CHARACTER_9600 - 1);
    expect(b.pin()).toBe(false);
    b.pass(1);
    expect(b.read(IIR)).toBe(0xcc);
    expect(b.read(RBR)).toBe(0x0d);
    expect(b.pin()).toBe(false);
    expect(b.timers.size).toBe(0);
  });

  it('loses nothing of a long paste', () => {
    const b = bench();
    b.write(FCR, 0x81);
    b.write(IER, 0x01);
    const text = Array.from({ length: 200 }, (_, i) => i);
    receive(b, ...text);
    const got: number[] = [];
    while (b.read(LSR) & 1) got.push(b.read(RBR));
    expect(got).toEqual(text);
  });

  it('flushes its FIFO when told and when FIFOs are switched', () => {
    const b = bench();
    b.write(FCR, 0x01);
    receive(b, 1);
    b.write(FCR, 0x03);
    expect(b.read(LSR) & 1).toBe(0);
    receive(b, 2);
    b.write(FCR, 0x00);
    expect(b.read(LSR) & 1).toBe(0);
  });

  it('puts line status before data before transmitter', () => {
    const b = bench();
    b.write(FCR, 0x01);
    b.write(IER, 0x07);
    b.write(MCR, 0x10);
    for (let byte = 0; byte < 17; byte++) b.write(RBR, byte);
    b.write(MCR, 0);
    const seen = [b.read(IIR) & 0x0f];
    b.read(LSR);
    seen.push(b.read(IIR) & 0x0f);
    for (let byte = 0; byte < 16; byte++) b.read(RBR);
    seen.push(b.read(IIR) & 0x0f);
    seen.push(b.read(IIR) & 0x0f);
    expect(seen).toEqual([0x06, 0x04, 0x02, 0x01]);
  });
});
