import { describe, expect, it } from 'vitest';
import { DEBUG_EXIT_REDUCER, debugExitAt, debugExitAtReset } from '../../src/devices/debug-exit/index.ts';
import { DEBUG_PORTS_REDUCER, debugPorts, debugPortsAtReset } from '../../src/devices/debug-ports/index.ts';
import { DEBUGCON_REDUCER, debugcon, debugconAtReset } from '../../src/devices/debugcon/index.ts';
import { I8237_REDUCER, i8237, i8237AtReset } from '../../src/devices/i8237/index.ts';
import { KVMVAPIC_REDUCER, kvmvapic, kvmvapicAtReset } from '../../src/devices/kvmvapic/index.ts';
import { PC_TESTDEV_REDUCER, pcTestdev, pcTestdevAtReset } from '../../src/devices/pc-testdev/index.ts';
import { regionBase } from '../../src/devices/pci/index.ts';
import {
  activeEventfds,
  PCI_TESTDEV_REDUCER,
  pciTestdev,
  pciTestdevAtReset,
} from '../../src/devices/pci-testdev/index.ts';
import { PIIX3_IDE_REDUCER, piix3Ide, piix3IdeAtReset } from '../../src/devices/piix3-ide/index.ts';
import { PORT92_REDUCER, port92, port92AtReset } from '../../src/devices/port92/index.ts';
import { Bench, writeConfig } from './recorder.ts';

describe('debug console', () => {
  it('says it is there and passes bytes on', () => {
    const b = new Bench(debugcon, DEBUGCON_REDUCER, debugconAtReset());
    expect(b.read(0)).toBe(0xe9);
    b.write(0, 0x53);
    expect(b.raised).toEqual([{ kind: 'sim:chardev_sent', dev: 'isa-debugcon', bytes: Uint8Array.of(0x53) }]);
  });
});

describe('isa-debug-exit', () => {
  it('ends with status v*2+1: kvm-unit-tests pass with 1 and fail with 3', () => {
    const b = new Bench(debugExitAt(0xf4, 4), DEBUG_EXIT_REDUCER, debugExitAtReset());
    b.write(0, 0, 4);
    b.write(0, 1, 4);
    b.write(0, 0x80, 4);
    expect(b.raised).toEqual([1, 3, 1].map((status) => ({ kind: 'sim:exit_requested', status })));
  });
});

describe('port 92', () => {
  it('opens A20 and resets on a rising bit 0 only', () => {
    const b = new Bench(port92, PORT92_REDUCER, port92AtReset());
    b.write(0, 0x02);
    expect([b.pin('a20'), b.read(0), b.raised.length]).toEqual([true, 2, 0]);
    b.write(0, 0x03);
    b.write(0, 0x03);
    expect(b.raised).toEqual([{ kind: 'sim:reset_asked', by: 'port 92' }]);
    b.reset();
    expect(b.read(0)).toBe(2);
  });
});

describe('port 80', () => {
  it('shows its last code to a person and all ones to the guest', () => {
    const b = new Bench(debugPorts, DEBUG_PORTS_REDUCER, debugPortsAtReset());
    b.write(0, 0x31);
    expect([b.read(0), b.device.describe(b.state)['POST code']]).toEqual([0xff, '0x31']);
  });
});

describe('kvmvapic', () => {
  it('keeps the first report of its option ROM', () => {
    const b = new Bench(kvmvapic, KVMVAPIC_REDUCER, kvmvapicAtReset());
    b.write(0, 0x10, 1);
    b.write(0, 0x1234, 2);
    b.write(0, 0x5678, 2);
    expect(b.state).toEqual({ romState: 0x1234 });
  });
});

describe('8237', () => {
  it('keeps SeaBIOS dma_setup: master clear, cascade mode, mask', () => {
    const b = new Bench(i8237, I8237_REDUCER, i8237AtReset());
    b.write(0x0a, 0, 1, 5);
    b.write(0x0c, 0xc0, 1, 5);
    b.write(0x08, 0x00, 1, 5);
    b.write(0x14, 0, 1, 5);
    expect(b.state.controllers[1]!.command).toBe(0);
  });

  it('takes addresses and counts low byte first and shows them from the high byte on', () => {
    const b = new Bench(i8237, I8237_REDUCER, i8237AtReset());
    b.write(4, 0, 1, 1);
    b.write(2, 0x34);
    b.write(2, 0x12);
    expect([b.read(2), b.read(2)]).toEqual([0x34, 0x12]);
    b.write(2, 0xff);
    b.write(4, 0, 1, 1);
    expect([b.read(2), b.read(2)]).toEqual([0x34, 0x12]);
  });

  it('knows the odd order of page registers', () => {
    const b = new Bench(i8237, I8237_REDUCER, i8237AtReset());
    for (const offset of [0, 1, 2]) b.write(offset, offset + 1, 1, 2);
    b.write(0, 4, 1, 3);
    expect(b.state.controllers[0]!.channels.map((c) => c.page)).toEqual([4, 3, 1, 2]);
  });

  it('takes a word at page registers as two bytes, up to where they end, and nothing wider: as QEMU 7.2', () => {
    const b = new Bench(i8237, I8237_REDUCER, i8237AtReset());
    [0x11, 0x22, 0x33].forEach((value, offset) => b.write(offset, value, 1, 2));
    b.write(0, 0x77, 1, 3);
    expect([0, 1, 2].map((offset) => b.read(offset, 2, 2))).toEqual([0x2211, 0x3322, 0xff33]);
    expect([b.read(0, 2, 3), b.read(0, 4, 2)]).toEqual([0xff77, 0xffffffff]);
    b.write(1, 0xbbaa, 2, 2);
    expect([b.read(1, 1, 2), b.read(2, 1, 2)]).toEqual([0xaa, 0xbb]);
    b.write(2, 0xddcc, 2, 2);
    b.write(0, 0x1234, 2, 3);
    b.write(0, 0x99887766, 4, 2);
    b.write(0, 0x55555555, 4, 3);
    expect([0, 1, 2].map((offset) => b.read(offset, 1, 2))).toEqual([0x11, 0xaa, 0xcc]);
    expect(b.read(0, 1, 3)).toBe(0x34);
  });
});

describe('IDE without drives', () => {
  it('reads zero, so that a probe finds nothing', () => {
    const b = new Bench(piix3Ide, PIIX3_IDE_REDUCER, piix3IdeAtReset());
    b.write(6, 0xa0);
    b.write(2, 0x55);
    b.write(3, 0xaa);
    expect([b.read(7), b.read(6), b.read(2), b.read(3), b.read(0, 1, 1)]).toEqual([0, 0, 0, 0, 0]);
  });

  it('places its bus master registers by BAR 4', () => {
    const b = new Bench(piix3Ide, PIIX3_IDE_REDUCER, piix3IdeAtReset());
    writeConfig(b, 0x20, 4, 0xffffffff);
    expect(b.state.config.slice(0x20, 0x24)).toEqual([0xf1, 0xff, 0xff, 0xff]);
    writeConfig(b, 0x20, 4, 0xc000);
    writeConfig(b, 0x04, 2, 1);
    expect(regionBase(piix3Ide, b.state, 4)).toBe(0xc000);
    expect(regionBase(piix3Ide, b.state, 0)).toBe(0x1f0);
  });
});

describe('pc-testdev', () => {
  const bench = () => new Bench(pcTestdev, PC_TESTDEV_REDUCER, pcTestdevAtReset());

  it('has one scratch doubleword behind 0xe0 and 0xe8, in any width', () => {
    const b = bench();
    b.write(0, 0x12345678, 4);
    b.write(1, 0xab, 1);
    expect([b.read(0, 4), b.read(2, 2), b.read(1, 1, 2)]).toEqual([0x1234ab78, 0x1234, 0xab]);
    b.write(0, 0xffffffff, 4);
    expect(b.read(0, 4)).toBe(0xffffffff);
  });

  it('drives interrupt lines', () => {
    const b = bench();
    b.write(14, 1, 1, 3);
    expect(b.pin('irq14')).toBe(true);
    b.write(14, 0, 1, 3);
    expect(b.pin('irq14')).toBe(false);
  });

  it('has 64 KB of memory at 0xff000000', () => {
    const b = bench();
    b.write(0xfffc, 0xdeadbeef, 4, 4);
    expect([b.read(0xfffc, 4, 4), b.read(0xfffe, 2, 4), b.read(0, 4, 4)]).toEqual([0xdeadbeef, 0xdead, 0]);
  });
});

describe('pci-testdev', () => {
  it('shows a header per test and counts the writes it asks for', () => {
    const b = new Bench(pciTestdev, PCI_TESTDEV_REDUCER, pciTestdevAtReset());
    expect(b.read(0)).toBe(0);
    b.write(0, 0);
    const offset = b.read(4) | (b.read(5) << 8);
    const data = b.read(8);
    expect([offset, data, b.read(1)]).toEqual([2048, 0xfa, 1]);
    b.write(offset, data);
    b.write(offset, data);
    b.write(offset, 0);
    expect(b.read(12)).toBe(2);
    const name: string[] = [];
    for (let at = 16; b.read(at) !== 0; at++) name.push(String.fromCharCode(b.read(at)));
    expect(name.join('')).toBe('mmio-no-eventfd');
  });

  it('names the write to be signalled in its eventfd tests', () => {
    const b = new Bench(pciTestdev, PCI_TESTDEV_REDUCER, pciTestdevAtReset());
    b.write(0, 2, 1, 1);
    expect(activeEventfds(b.state)).toEqual([{ id: 5, region: 1, offset: 128 + 5, size: 1, match: 0xfa }]);
    b.write(0, 0, 1, 1);
    expect(activeEventfds(b.state)).toEqual([]);
    b.write(0, 3);
    expect(b.read(4)).toBe(0);
  });
});
