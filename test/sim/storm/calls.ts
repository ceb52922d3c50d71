import type { Kvm } from '../../../src/kvm/api.ts';
import * as io from '../../../src/kvm/ioctl/ioctls.ts';
import type { Draw } from './draw.ts';
import { untyped } from '../../kvm/user-space.ts';

/** What user space holds of a VM. */
export interface Held {
  readonly kvm: Kvm;
  readonly vm: number;
  readonly vcpus: readonly number[];
  readonly eventfds: readonly number[];
  readonly draw: Draw;
}

/** One use of the ioctl surface by a vCPU's thread. */
export type Call = (held: Held, vcpu: number) => void;

const PAGE = 4096;
const PAGES = 64;
/** Slots 1 to 3 come and go, above the memory that stays. */
const SLOT_BASE = 0x100000;
const bigWord = ({ draw }: Held): bigint => BigInt(draw.word());

function changed<T>(held: Held, fd: number, get: number, set: number, change: (value: T) => void): void {
  const value = {} as T;
  const kvm = untyped(held.kvm);
  if (kvm.ioctl(fd, get, value) < 0) return;
  change(value);
  kvm.ioctl(fd, set, value);
}

const region: Call = ({ kvm, vm, draw }) => {
  const slot = 1 + draw.below(3);
  const base = SLOT_BASE * slot;
  const guestPhysAddr = base + PAGE * PAGES * draw.below(2);
  const memorySize = draw.of([0, PAGE * PAGES, PAGE * PAGES]);
  const flags = draw.of([0, io.KVM_MEM_LOG_DIRTY_PAGES, io.KVM_MEM_LOG_DIRTY_PAGES, io.KVM_MEM_READONLY]);
  kvm.ioctl(vm, io.KVM_SET_USER_MEMORY_REGION, { slot, flags, guestPhysAddr, memorySize, userspaceAddr: base });
};

const logged: Call = ({ kvm, vm, draw }) => {
  const memorySize = SLOT_BASE;
  const flags = draw.of([0, io.KVM_MEM_LOG_DIRTY_PAGES, io.KVM_MEM_LOG_DIRTY_PAGES]);
  kvm.ioctl(vm, io.KVM_SET_USER_MEMORY_REGION, { slot: 0, flags, guestPhysAddr: 0, memorySize, userspaceAddr: 0 });
};

const LARGE = 0x400000;

/** Memory in large pages, but for as long as its writes are logged. */
const large: Call = ({ kvm, vm, draw }) => {
  const flags = draw.of([0, io.KVM_MEM_LOG_DIRTY_PAGES]);
  const region = { slot: 4, flags, guestPhysAddr: LARGE, memorySize: LARGE, userspaceAddr: LARGE };
  kvm.ioctl(vm, io.KVM_SET_USER_MEMORY_REGION, region);
};

const dirtyLog: Call = ({ kvm, vm, draw }) => {
  const slot = draw.below(5);
  const bitmap = new Uint8Array(PAGES);
  kvm.ioctl(vm, io.KVM_GET_DIRTY_LOG, { slot, bitmap });
  const some = bitmap.map((byte) => byte & draw.word());
  const numPages = draw.of([PAGES, slot === 0 ? 256 : PAGES]);
  kvm.ioctl(vm, io.KVM_CLEAR_DIRTY_LOG, { slot, bitmap: some, firstPage: draw.of([0, 0, 64]), numPages });
};

const line: Call = ({ kvm, vm, draw }) =>
  void untyped(kvm).ioctl(vm, draw.of([io.KVM_IRQ_LINE, io.KVM_IRQ_LINE_STATUS]), {
    irq: draw.below(24),
    level: draw.below(2),
  });

const routes: Call = ({ kvm, vm, draw }) => {
  const msi = { addressLow: 0xfee00000, addressHigh: 0, data: 0x30 + draw.below(64) };
  const entries = Array.from({ length: 24 }, (_, gsi) => [
    ...(gsi < 16 && !draw.once(8) ? [{ gsi, type: 'irqchip' as const, irqchip: gsi >> 3, pin: gsi & 7 }] : []),
    ...(draw.once(8) ? [] : [{ gsi, type: 'irqchip' as const, irqchip: 2, pin: gsi === 0 ? 2 : gsi }]),
  ]).flat();
  kvm.ioctl(vm, io.KVM_SET_GSI_ROUTING, { entries: [...entries, { gsi: 24 + draw.below(4), type: 'msi', ...msi }] });
};

const message: Call = ({ kvm, vm, draw }) => {
  const data = draw.of([0, 0x100, 0x400, 0xc000]) | (0x30 + draw.below(64));
  kvm.ioctl(vm, io.KVM_SIGNAL_MSI, { addressLow: 0xfee00000 | (draw.below(4) << 12), addressHigh: 0, data });
};

const irqfd: Call = ({ kvm, vm, eventfds, draw }) => {
  const [fd, resamplefd] = [draw.of(eventfds), draw.of(eventfds)];
  kvm.ioctl(vm, io.KVM_IRQFD, { fd, gsi: draw.below(28), flags: draw.of([0, 1, 2, 2]), resamplefd });
  kvm.signal(draw.of(eventfds));
};

interface IoapicChip {
  chipId: number;
  state: { ioregsel: number; redirtbl: bigint[] };
}

const MASKED_LEVEL = 0x18040n;

/** A level that two hold, one of them by a resampling eventfd, at a masked pin whose entry the guest writes next. */
const heldTwice: Call = (held) => {
  const { kvm, vm, eventfds, draw } = held;
  const [fd, resamplefd] = eventfds as readonly [number, number];
  const pin = 16 + draw.below(8);
  const routes = [{ gsi: pin, type: 'irqchip' as const, irqchip: 2, pin }];
  kvm.ioctl(vm, io.KVM_SET_GSI_ROUTING, { entries: routes });
  kvm.ioctl(vm, io.KVM_IRQFD, { fd, gsi: pin, flags: 2, resamplefd });
  const chip = { chipId: 2 } as IoapicChip;
  if (kvm.ioctl(vm, io.KVM_GET_IRQCHIP, chip) < 0) return;
  chip.state.ioregsel = 0x10 + 2 * pin;
  chip.state.redirtbl[pin] = MASKED_LEVEL;
  kvm.ioctl(vm, io.KVM_SET_IRQCHIP, chip);
  kvm.signal(fd);
  kvm.ioctl(vm, io.KVM_IRQ_LINE, { irq: pin, level: 1 });
};

const RTC_PIN = 8;
const RTC_VECTOR = 0x51;

/** The clock's interrupt is in service in a local APIC that is put back, or is not: who awaits its EOI is told anew. */
const clockInService: Call = (held, vcpu) => {
  const { kvm, vm, draw } = held;
  const chip = { chipId: 2 } as IoapicChip;
  if (kvm.ioctl(vm, io.KVM_GET_IRQCHIP, chip) < 0) return;
  chip.state.redirtbl[RTC_PIN] = BigInt(RTC_VECTOR);
  kvm.ioctl(vm, io.KVM_SET_IRQCHIP, chip);
  changed<io.LapicRegisters>(held, vcpu, io.KVM_GET_LAPIC, io.KVM_SET_LAPIC, ({ regs }) => {
    const inService = 0x100 + 16 * (RTC_VECTOR >> 5);
    new DataView(regs.buffer).setUint32(inService, draw.once(2) ? 0 : 1 << (RTC_VECTOR & 31), true);
  });
};

const eventfd: Call = ({ kvm, eventfds, draw }) => {
  if (draw.once(2)) kvm.signal(draw.of(eventfds));
  else kvm.consume(draw.of(eventfds));
};

const ioeventfd: Call = ({ kvm, vm, eventfds, draw }) => {
  const flags = draw.of([0, 1, 2, 3, 4, 6]);
  const len = draw.of([0, 1, 2, 4, 8]);
  const addr = (flags & 2) !== 0 ? draw.of([0x3f8, 0x80]) : 0xd000_0000 + 16 * draw.below(4);
  kvm.ioctl(vm, io.KVM_IOEVENTFD, { fd: draw.of(eventfds), addr, len, datamatch: BigInt(draw.below(2)), flags });
};

const irqchip: Call = (held) => {
  const chipId = held.draw.below(3);
  const chip = { chipId } as { chipId: number; state?: Record<string, unknown> };
  held.kvm.ioctl(held.vm, io.KVM_GET_IRQCHIP, chip);
  for (const [name, value] of Object.entries(chip.state ?? {})) {
    if (typeof value === 'number' && held.draw.once(3)) chip.state![name] = held.draw.below(256);
  }
  held.kvm.ioctl(held.vm, io.KVM_SET_IRQCHIP, chip);
};

interface PitRegisters {
  flags: number;
  channels: { count: number }[];
}

const pit: Call = (held) => {
  const { kvm, vm, draw } = held;
  if (draw.once(3)) kvm.ioctl(vm, io.KVM_REINJECT_CONTROL, { pitReinject: draw.once(2) });
  changed<PitRegisters>(held, vm, io.KVM_GET_PIT2, io.KVM_SET_PIT2, ({ channels }) => {
    for (const channel of channels) channel.count = draw.of([channel.count, 0, draw.below(65536)]);
  });
  changed<PitRegisters>(held, vm, io.KVM_GET_PIT2, io.KVM_SET_PIT2, (value) => void (value.flags ^= draw.below(2)));
};

const clock: Call = (held) =>
  void held.kvm.ioctl(held.vm, io.KVM_SET_CLOCK, { clock: bigWord(held) * 1000n, flags: 0 });

const capability: Call = ({ kvm, vm, draw }) => {
  const cap = draw.of([164, 168, 188, 188, 218]);
  kvm.ioctl(vm, io.KVM_ENABLE_CAP, { cap, args: [BigInt(draw.below(8))] });
};

const filter: Call = ({ kvm, vm, draw }) => {
  const bitmap = Uint8Array.from({ length: 64 }, () => draw.below(256));
  const range = { flags: 1 + draw.below(3), nmsrs: 512, base: draw.of([0, 0x4b564d00]), bitmap };
  kvm.ioctl(vm, io.KVM_X86_SET_MSR_FILTER, { flags: draw.below(2), ranges: draw.once(3) ? [] : [range] });
};

const zone: Call = ({ kvm, vm, draw }) => {
  const pio = draw.once(3);
  const addr = pio ? 0x80 : 0xd000_0000 + 256 * draw.below(2);
  const size = pio ? 1 : 256;
  untyped(kvm).ioctl(vm, draw.of([io.KVM_REGISTER_COALESCED_MMIO, io.KVM_UNREGISTER_COALESCED_MMIO]), {
    addr,
    size,
    pio,
  });
  const { first, last } = kvm.coalescedRing();
  if (first !== last) kvm.takeCoalesced();
};

const registers: Call = (held, vcpu) =>
  changed<io.Regs>(held, vcpu, io.KVM_GET_REGS, io.KVM_SET_REGS, (regs) => {
    regs.rax = bigWord(held);
    regs.rflags = held.draw.of([2n, 0x202n, 0x202n, 0n]);
  });

const systemRegisters: Call = (held, vcpu) =>
  changed<io.Sregs>(held, vcpu, io.KVM_GET_SREGS2, io.KVM_SET_SREGS2, (sregs) => {
    sregs.cr8 = held.draw.below(16);
    sregs.cr0 = held.draw.of([sregs.cr0, 0x60000011n, 0x60000010n]);
    sregs.apicBase = held.draw.of([sregs.apicBase, 0xfee00800n, 0xfee00000n, 0xfee00c00n]);
  });

const KEPT = [0x3b, 0x48, 0x8b, 0x9e, 0xce, 0x10a, 0x140, 0x17a, 0x1a0, 0x1fc, 0x277, 0x2ff, 0x400, 0x404, 0x6e0, 0x10];

const modelSpecific: Call = (held, vcpu) => {
  const pv = [0x4b564d00, 0x4b564d01, 0x4b564d03, 0x4b564d04];
  const entries = Array.from({ length: 1 + held.draw.below(3) }, () =>
    held.draw.once(3)
      ? { index: held.draw.of(pv), data: BigInt(PAGE * (1 + held.draw.below(8)) + held.draw.below(2)) }
      : { index: held.draw.of(KEPT), data: held.draw.of([0n, 1n, bigWord(held), 0x0606060606060606n]) },
  );
  held.kvm.ioctl(vcpu, io.KVM_SET_MSRS, { entries });
  held.kvm.ioctl(vcpu, io.KVM_GET_MSRS, { entries });
};

const localApic: Call = (held, vcpu) =>
  changed<io.LapicRegisters>(held, vcpu, io.KVM_GET_LAPIC, io.KVM_SET_LAPIC, (page) => {
    const { draw } = held;
    const at = (offset: number, value: number): void => new DataView(page.regs.buffer).setUint32(offset, value, true);
    if (page.regs === undefined) return;
    at(0xf0, draw.of([0x1ff, 0xff]));
    at(draw.of([0x200, 0x220, 0x270]), draw.word());
    at(0x110 + 16 * draw.below(7), draw.once(2) ? 0 : draw.word());
    at(0x320, draw.of([0x40, 0x20040, 0x40040, 0x10000]));
    at(0x380, draw.below(5000));
    at(0x3e0, draw.below(12));
  });

const events: Call = ({ kvm, draw }, vcpu) => {
  const is = (times: number): boolean => draw.once(times);
  const exception = {
    injected: is(6),
    pending: is(6),
    nr: draw.of([1, 6, 8, 8, 13, 14]),
    hasErrorCode: is(2),
    errorCode: 4,
  };
  kvm.ioctl(vcpu, io.KVM_SET_VCPU_EVENTS, {
    exception: { ...exception, payload: is(3) ? 0x1000n : undefined },
    interrupt: { injected: is(6), nr: 0x30 + draw.below(16), soft: is(2), shadow: draw.below(3) },
    nmi: { injected: is(8), pending: is(4), masked: is(4) },
    sipiVector: draw.below(16),
    tripleFault: is(12),
    flags: draw.below(64),
  } satisfies io.VcpuEvents);
};

const debugging: Call = (held, vcpu) => {
  const { kvm, draw } = held;
  const debugreg = Array.from({ length: 8 }, (_, at) => (at === 7 ? 0x400n : bigWord(held)));
  const control = draw.of([0, 0, 1, 3, 0x10001, 0x20001, 0x20003, 0x40001, 0x80000]);
  kvm.ioctl(vcpu, io.KVM_SET_GUEST_DEBUG, { control, debugreg });
  const db = [bigWord(held), 0n, 1n, 2n];
  kvm.ioctl(vcpu, io.KVM_SET_DEBUGREGS, { db, dr6: 0xffff0ff0n, dr7: draw.of([0x400n, 0x2400n, 0x401n]) });
};

const floatingPoint: Call = ({ kvm, draw }, vcpu) => {
  const area = {} as io.Xsave;
  untyped(kvm).ioctl(vcpu, draw.of([io.KVM_GET_XSAVE, io.KVM_GET_FPU]), area);
  kvm.ioctl(vcpu, area.region.length === 512 ? io.KVM_SET_FPU : io.KVM_SET_XSAVE, area);
  kvm.ioctl(vcpu, io.KVM_SET_XCRS, { xcrs: [{ xcr: 0, value: draw.of([1n, 3n, 2n]) }] });
};

const machineCheck: Call = (held, vcpu) =>
  void held.kvm.ioctl(vcpu, io.KVM_X86_SETUP_MCE, BigInt(held.draw.below(12)) | (held.draw.once(2) ? 0x100n : 0n));

const supported: Call = ({ kvm, draw }, vcpu) => {
  const fd = kvm.open();
  const table: io.CpuidTable = { entries: [] };
  kvm.ioctl(fd, io.KVM_GET_SUPPORTED_CPUID, table);
  for (const entry of table.entries) if (entry.function === 1 && draw.once(2)) entry.ecx ^= draw.of([1 << 21, 1 << 24]);
  kvm.ioctl(vcpu, io.KVM_SET_CPUID2, table);
};

const offset: Call = (held, vcpu) =>
  void held.kvm.ioctl(vcpu, io.KVM_SET_DEVICE_ATTR, { group: 0, attr: 0, value: bigWord(held) });

const running: Call = ({ kvm, draw }, vcpu) =>
  void kvm.ioctl(vcpu, io.KVM_SET_MP_STATE, { mpState: draw.of([0, 0, 0, 1, 2, 3, 4]) });

/** Calls and how often they are made. */
export const CALLS: readonly (readonly [weight: number, call: Call])[] = [
  [3, region],
  [3, logged],
  [2, large],
  [4, dirtyLog],
  [4, line],
  [1, routes],
  [2, message],
  [3, irqfd],
  [2, eventfd],
  [2, ioeventfd],
  [2, irqchip],
  [3, heldTwice],
  [2, clockInService],
  [2, pit],
  [1, clock],
  [1, capability],
  [1, filter],
  [2, zone],
  [4, registers],
  [2, systemRegisters],
  [3, modelSpecific],
  [2, localApic],
  [2, events],
  [2, debugging],
  [1, floatingPoint],
  [1, machineCheck],
  [1, supported],
  [1, offset],
  [2, running],
  [2, ({ kvm }, vcpu) => void kvm.ioctl(vcpu, io.KVM_NMI)],
  [2, ({ kvm, draw }, vcpu) => void kvm.ioctl(vcpu, io.KVM_INTERRUPT, { irq: 0x30 + draw.below(16) })],
  [1, ({ kvm }, vcpu) => void kvm.ioctl(vcpu, io.KVM_KVMCLOCK_CTRL)],
];
