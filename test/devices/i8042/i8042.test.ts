import { describe, expect, it } from 'vitest';
import { I8042_REDUCER, i8042, i8042AtReset } from '../../../src/devices/i8042/index.ts';
import { Bench } from '../recorder.ts';

const [DATA, COMMAND] = [0, 1];
const OBF = 0x01;
const AUX = 0x20;

function bench() {
  const b = new Bench(i8042, I8042_REDUCER, i8042AtReset());
  return Object.assign(b, {
    status: () => b.read(0, 1, COMMAND),
    data: () => b.read(0, 1, DATA),
    command: (byte: number) => b.write(0, byte, 1, COMMAND),
    send: (byte: number) => b.write(0, byte, 1, DATA),
    type: (...bytes: number[]) => b.receive({ kind: 'sim:keyboard_received', bytes: Uint8Array.from(bytes) }),
    drain: () => {
      const bytes: number[] = [];
      while (b.read(0, 1, COMMAND) & OBF) bytes.push(b.read(0, 1, DATA));
      return bytes;
    },
  });
}

/** A command with one parameter. */
function put(b: ReturnType<typeof bench>, command: number, byte: number) {
  b.command(command);
  b.send(byte);
}

function toMouse(b: ReturnType<typeof bench>, byte: number) {
  put(b, 0xd4, byte);
  return b.drain();
}

describe('SeaBIOS keyboard_init', () => {
  it('gets through its dialogue as on QEMU 7.2', () => {
    const b = bench();
    b.command(0xad);
    b.command(0xa7);
    expect(b.status() & OBF).toBe(0);
    b.command(0xaa);
    expect(b.drain()).toEqual([0x55]);
    b.command(0xab);
    expect(b.drain()).toEqual([0x00]);
    b.send(0xff);
    expect(b.drain()).toEqual([0xfa, 0xaa]);
    b.send(0xf5);
    expect(b.drain()).toEqual([0xfa]);
    put(b, 0x60, 0x61);
    b.send(0xf0);
    expect(b.drain()).toEqual([0xfa]);
    b.send(0x02);
    expect(b.drain()).toEqual([0xfa]);
    b.send(0xf4);
    expect(b.drain()).toEqual([0xfa]);
  });
});

describe('Linux i8042 probe', () => {
  it('reads the command byte back', () => {
    const b = bench();
    put(b, 0x60, 0x47);
    b.command(0x20);
    expect(b.drain()).toEqual([0x47]);
  });

  it('finds an auxiliary port: a looped byte comes back from the mouse side', () => {
    const b = bench();
    put(b, 0xd3, 0x5a);
    expect(b.status() & (OBF | AUX)).toBe(OBF | AUX);
    expect(b.drain()).toEqual([0x5a]);
    b.command(0xa9);
    expect(b.drain()).toEqual([0x00]);
  });

  it('sees AUX disabled and enabled in the command byte', () => {
    const b = bench();
    b.command(0xa7);
    b.command(0x20);
    expect(b.data() & 0x20).toBe(0x20);
    b.command(0xa8);
    b.command(0x20);
    expect(b.data() & 0x20).toBe(0);
  });

  it('identifies an AT keyboard, translated or raw', () => {
    const b = bench();
    put(b, 0x60, 0x41);
    b.send(0xf2);
    expect(b.drain()).toEqual([0xfa, 0xab, 0x41]);
    put(b, 0x60, 0x01);
    b.send(0xf2);
    expect(b.drain()).toEqual([0xfa, 0xab, 0x83]);
  });

  it('identifies the mouse as an ImExplorer after both knocks', () => {
    const b = bench();
    expect(toMouse(b, 0xff)).toEqual([0xfa, 0xaa, 0x00]);
    for (const rate of [200, 100, 80]) expect([toMouse(b, 0xf3), toMouse(b, rate)]).toEqual([[0xfa], [0xfa]]);
    expect(toMouse(b, 0xf2)).toEqual([0xfa, 3]);
    for (const rate of [200, 200, 80]) expect([toMouse(b, 0xf3), toMouse(b, rate)]).toEqual([[0xfa], [0xfa]]);
    expect(toMouse(b, 0xf2)).toEqual([0xfa, 4]);
    expect(toMouse(b, 0xe9)).toEqual([0xfa, 0x00, 2, 80]);
  });
});

describe('interrupts', () => {
  it('raise irq 1 per key byte until it is read, and not while masked', () => {
    const b = bench();
    put(b, 0x60, 0x41);
    b.type(0x1e, 0x9e);
    expect(b.pin('irq1')).toBe(true);
    expect(b.data()).toBe(0x1e);
    expect(b.pin('irq1')).toBe(true);
    expect(b.data()).toBe(0x9e);
    expect(b.pin('irq1')).toBe(false);
    put(b, 0x60, 0x40);
    b.type(0x1e);
    expect(b.pin('irq1')).toBe(false);
  });

  it('raise irq 12 for the mouse', () => {
    const b = bench();
    put(b, 0xd4, 0xf4);
    expect([b.pin('irq1'), b.pin('irq12')]).toEqual([false, true]);
    expect(b.data()).toBe(0xfa);
    expect(b.pin('irq12')).toBe(false);
  });

  it('hold keys back while the keyboard is disabled', () => {
    const b = bench();
    b.command(0xad);
    b.type(0x1e);
    expect(b.status() & OBF).toBe(0);
    b.command(0xae);
    expect(b.status() & OBF).toBe(OBF);
  });
});

describe('keys', () => {
  it('come in set 2 when the controller does not translate', () => {
    const b = bench();
    put(b, 0x60, 0x01);
    b.type(0x1e, 0x9e, 0xe0, 0x48);
    expect(b.drain()).toEqual([0x1c, 0xf0, 0x1c, 0xe0, 0x75]);
  });
});

describe('output port', () => {
  it('gates A20', () => {
    const b = bench();
    put(b, 0xd1, 0xdd);
    expect(b.pin('a20')).toBe(false);
    put(b, 0xd1, 0xdf);
    expect(b.pin('a20')).toBe(true);
    b.command(0xd0);
    expect(b.drain()).toEqual([0xdf]);
    b.command(0xdd);
    expect(b.pin('a20')).toBe(false);
  });

  it('resets by command 0xfe and by output port bit 0, not by 0xff', () => {
    const b = bench();
    b.command(0xff);
    expect(b.raised).toEqual([]);
    b.command(0xfe);
    put(b, 0xd1, 0xde);
    const asked = { kind: 'sim:reset_asked', by: 'i8042' };
    expect(b.raised).toEqual([asked, asked]);
  });
});

describe('the output buffer', () => {
  it('is filled by facts that name who had a byte', () => {
    const b = bench();
    put(b, 0xd4, 0xf4);
    b.type(0x1e);
    b.command(0x20);
    b.drain();
    const filled = b.raised.flatMap((event) => (event.kind === 'sim:kbc_filled' ? [event.source] : []));
    expect(filled).toEqual(['mouse', 'own', 'keyboard']);
  });

  it('is emptied by a reset, which shows the last byte still', () => {
    const b = bench();
    put(b, 0x60, 0x41);
    b.type(0x1e);
    b.data();
    b.type(0x1f);
    b.reset();
    expect([b.status() & OBF, b.data(), b.pin('irq1')]).toEqual([0, 0x1e, false]);
  });
});
