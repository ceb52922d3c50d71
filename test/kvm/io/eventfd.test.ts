import { describe, expect, test } from 'vitest';
import { KVM_IOEVENTFD, KVM_IRQFD, KVM_SET_GSI_ROUTING } from '../../../src/kvm/ioctl/ioctls.ts';
import { lapicMmioWrite } from '../../../src/kvm/irqchip/index.ts';
import { type RealGuest, realGuest } from '../real-guest.ts';

const IO = 2;
const HLT = 5;
const MMIO = 6;
const DATAMATCH = 1;
const PIO = 2;
const DEASSIGN = 4;
const EINVAL = -22;
const EEXIST = -17;
const ENOENT = -2;
const EBADF = -9;
const EBUSY = -16;

const OUT_AL = [0xb0, 0x42, 0xe6, 0x50, 0xf4]; // mov al, 0x42; out 0x50, al; hlt
const OUT_AX = [0xb8, 0x42, 0x42, 0xe7, 0x50, 0xf4]; // mov ax, 0x4242; out 0x50, ax; hlt

interface Change {
  readonly fd?: number;
  readonly addr?: number;
  readonly len?: number;
  readonly flags?: number;
  readonly datamatch?: bigint;
}

const bind = (machine: RealGuest, fd: number, change: Change = {}): number =>
  machine.vmIoctl(KVM_IOEVENTFD, { fd, addr: 0x50, len: 1, flags: PIO, datamatch: 0n, ...change });

describe('an ioeventfd', () => {
  test('takes the write in the kernel and counts it', () => {
    const machine = realGuest([...OUT_AL.slice(0, 4), ...OUT_AL]);
    const fd = machine.kvm.eventfd();
    expect(bind(machine, fd)).toBe(0);
    expect(machine.next()).toBe(HLT);
    expect([machine.kvm.consume(fd), machine.kvm.consume(fd)]).toEqual([2, 0]);
  });

  test.each([
    ['another value than its datamatch', OUT_AL, { flags: PIO | DATAMATCH, datamatch: 0x41n }, IO],
    ['just its datamatch', OUT_AL, { flags: PIO | DATAMATCH, datamatch: 0x42n }, HLT],
    ['another width', OUT_AX, { len: 1 }, IO],
    ['its width', OUT_AX, { len: 2 }, HLT],
    ['any width when it has none', OUT_AX, { len: 0 }, HLT],
    ['another port', OUT_AL, { addr: 0x51 }, IO],
    ['memory at the number of the port', OUT_AL, { flags: 0 }, IO],
  ])('sees %s', (_what, code, change, reason) => {
    const machine = realGuest(code);
    bind(machine, machine.kvm.eventfd(), change);
    expect(machine.next()).toBe(reason);
  });

  test.each([
    [0, 'kvm_fast_mmio'],
    [4, 'kvm_mmio'],
  ])('of %i bytes in memory takes an MMIO write by %s', (len, kind) => {
    // mov ax, 0xff00; mov ds, ax; mov dword [0xf000], 0x77; again; hlt
    const write = [0x66, 0xc7, 0x06, 0, 0xf0, 0x77, 0, 0, 0];
    const machine = realGuest([0xb8, 0, 0xff, 0x8e, 0xd8, ...write, ...write, 0xf4]);
    const fd = machine.kvm.eventfd();
    bind(machine, fd, { addr: 0xff000 + 0xf000, len, flags: len === 0 ? 0 : DATAMATCH, datamatch: 0x77n });
    expect(machine.next()).toBe(HLT);
    expect(machine.kvm.consume(fd)).toBe(2);
    expect(machine.events.map((event) => event.kind)).toContain(kind);
  });

  test('in memory lets a write of another value through', () => {
    const machine = realGuest([0xb8, 0, 0xff, 0x8e, 0xd8, 0xc6, 0x06, 0, 0xf0, 0x76, 0xf4]);
    bind(machine, machine.kvm.eventfd(), { addr: 0xff000 + 0xf000, flags: DATAMATCH, datamatch: 0x77n });
    expect(machine.next()).toBe(MMIO);
  });

  test('among many is found by its address, and leaves nothing behind when it goes', () => {
    const machine = realGuest(OUT_AL);
    const around = Array.from({ length: 128 }, (_, at) => ({ fd: machine.kvm.eventfd(), addr: 0x10 + at }));
    for (const { fd, addr } of around) expect(bind(machine, fd, { addr })).toBe(0);
    expect(machine.next()).toBe(HLT);
    expect(around.filter(({ fd }) => machine.kvm.consume(fd) > 0).map(({ addr }) => addr)).toEqual([0x50]);
    for (const { fd, addr } of around) expect(bind(machine, fd, { addr, flags: PIO | DEASSIGN })).toBe(0);
    expect(machine.state.vm?.ioeventfds).toEqual({ pio: {}, mmio: {} });
  });

  test('is refused where it collides, and gone once deassigned', () => {
    const machine = realGuest(OUT_AL);
    const [a, b] = [machine.kvm.eventfd(), machine.kvm.eventfd()];
    bind(machine, a, { flags: PIO | DATAMATCH, datamatch: 1n });
    expect(bind(machine, b, { flags: PIO | DATAMATCH, datamatch: 2n })).toBe(0);
    expect(bind(machine, b)).toBe(EEXIST);
    expect(bind(machine, b, { len: 0 })).toBe(EEXIST);
    expect(bind(machine, b, { flags: PIO | DATAMATCH | DEASSIGN, datamatch: 1n })).toBe(ENOENT);
    expect(bind(machine, a, { flags: PIO | DATAMATCH | DEASSIGN, datamatch: 1n })).toBe(0);
    expect(machine.next()).toBe(IO);
  });

  test.each([
    [{ len: 3 }, EINVAL],
    [{ flags: 16 }, EINVAL],
    [{ len: 0, flags: PIO | DATAMATCH }, EINVAL],
    [{ fd: 99 }, EBADF],
  ])('with %o is refused', (change, errno) => {
    const machine = realGuest([0xf4]);
    expect(bind(machine, machine.kvm.eventfd(), change)).toBe(errno);
  });
});

const MASTER_VECTORS = 0x20;

/** Both PICs as firmware leaves them, interrupts on; the handler of IRQ 5 counts in BL and ends with an EOI. */
function listening(level: boolean): RealGuest {
  const out = (port: number, value: number) => [0xb0, value, 0xe6, port];
  const code = [
    ...out(0x20, 0x11),
    ...out(0x21, MASTER_VECTORS),
    ...out(0x21, 4),
    ...out(0x21, 1),
    ...out(0x21, 0xdf),
    0xba,
    0xd0,
    0x04,
    0xb0,
    level ? 0x20 : 0,
    0xee, // mov dx, 0x4d0; mov al, ELCR; out dx, al
    0xfb,
    0xf4,
    0xeb,
    0xfd, // sti; hlt; jmp -3
  ];
  const machine = realGuest(code, { irqchip: true });
  const handler = [0xfe, 0xc3, ...out(0x20, 0x20), 0xcf]; // inc bl; EOI; iret
  machine.guest.writeHost(0x2000, Uint8Array.from(handler));
  machine.guest.writeHost((MASTER_VECTORS + 5) * 4, Uint8Array.of(0, 0x20, 0, 0));
  // LVT0 as ExtINT, the local APIC on: the PIC's interrupts reach the processor.
  lapicMmioWrite(machine.context.from(machine.onThread(0)), 0, 0xf0, 4, 0x1ff);
  expect(machine.next()).toBe('halted');
  return machine;
}

const counted = (machine: RealGuest): number => Number(machine.regs().rbx & 0xffn);

describe('an irqfd', () => {
  test('interrupts the guest once for each signal', () => {
    const machine = listening(false);
    const fd = machine.kvm.eventfd();
    expect(machine.vmIoctl(KVM_IRQFD, { fd, gsi: 5, flags: 0 })).toBe(0);
    for (const times of [1, 2, 3]) {
      machine.kvm.signal(fd);
      expect(machine.next()).toBe('halted');
      expect(counted(machine)).toBe(times);
    }
  });

  test('interrupts at once when its eventfd was signalled before', () => {
    const machine = listening(false);
    const fd = machine.kvm.eventfd();
    machine.kvm.signal(fd);
    machine.vmIoctl(KVM_IRQFD, { fd, gsi: 5, flags: 0 });
    expect(machine.next()).toBe('halted');
    expect(counted(machine)).toBe(1);
  });

  test('that resamples holds its line until the EOI, which signals the other eventfd', () => {
    const machine = listening(true);
    const [fd, resamplefd] = [machine.kvm.eventfd(), machine.kvm.eventfd()];
    expect(machine.vmIoctl(KVM_IRQFD, { fd, gsi: 5, flags: 2, resamplefd })).toBe(0);
    machine.kvm.signal(fd);
    expect(machine.kvm.consume(resamplefd)).toBe(0);
    expect(machine.next()).toBe('halted');
    expect(counted(machine)).toBe(1);
    expect(machine.kvm.consume(resamplefd)).toBe(1);
    machine.kvm.signal(fd);
    expect(machine.next()).toBe('halted');
    expect([counted(machine), machine.kvm.consume(resamplefd)]).toEqual([2, 1]);
  });

  test.each([
    ['to one local APIC goes there at once', 0xfee0_0000, ['kvm_msi_set_irq', 'kvm_apic_accept_irq']],
    [
      'to all of them is an edge of its GSI',
      0xfeef_f000,
      ['kvm_msi_set_irq', 'kvm_set_irq', 'kvm_msi_set_irq', 'kvm_apic_accept_irq', 'kvm_set_irq'],
    ],
  ])('that is a message %s', (_what, addressLow, kinds) => {
    const machine = listening(false);
    const fd = machine.kvm.eventfd();
    const route = { gsi: 24, type: 'msi', addressLow, addressHigh: 0, data: 0x31 };
    expect(machine.vmIoctl(KVM_SET_GSI_ROUTING, { entries: [route] })).toBe(0);
    machine.vmIoctl(KVM_IRQFD, { fd, gsi: 24, flags: 0 });
    machine.events.length = 0;
    machine.kvm.signal(fd);
    const told = machine.events
      .map(({ kind }) => kind)
      .filter((kind) => /^kvm_(msi_set|set|apic_accept)_irq$/.test(kind));
    expect(told).toEqual(kinds);
  });

  test('that is taken away interrupts no more', () => {
    const machine = listening(true);
    const [fd, resamplefd] = [machine.kvm.eventfd(), machine.kvm.eventfd()];
    machine.vmIoctl(KVM_IRQFD, { fd, gsi: 5, flags: 2, resamplefd });
    machine.kvm.signal(fd);
    expect(machine.vmIoctl(KVM_IRQFD, { fd, gsi: 5, flags: 1 })).toBe(0);
    machine.kvm.signal(fd);
    expect(machine.machine.kvm.isRunnable(0)).toBe(false);
    expect(counted(machine)).toBe(0);
  });

  test('is refused twice, without an eventfd, or with flags that do not exist', () => {
    const machine = listening(false);
    const fd = machine.kvm.eventfd();
    machine.vmIoctl(KVM_IRQFD, { fd, gsi: 5, flags: 0 });
    expect(machine.vmIoctl(KVM_IRQFD, { fd, gsi: 6, flags: 0 })).toBe(EBUSY);
    expect(machine.vmIoctl(KVM_IRQFD, { fd: 99, gsi: 6, flags: 0 })).toBe(EBADF);
    expect(machine.vmIoctl(KVM_IRQFD, { fd, gsi: 6, flags: 4 })).toBe(EINVAL);
    expect(machine.vmIoctl(KVM_IRQFD, { fd: machine.kvm.eventfd(), gsi: 6, flags: 2, resamplefd: 99 })).toBe(EINVAL);
  });
});
