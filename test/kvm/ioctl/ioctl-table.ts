import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import * as io from '../../../src/kvm/ioctl/ioctls.ts';
import { packIoapic, packMsrRanges, packPit, packRegs, packRoutes, packSregs } from '../../../src/kvm/ioctl/structs.ts';
import type { FakeGuest } from '../fake-guest.ts';
import type { Stage } from '../stage.ts';
import { untyped } from '../user-space.ts';

/** A VM as it is before a request, and the descriptors of what there is. */
export interface Scene extends Stage {
  readonly guest: FakeGuest;
  readonly system: number;
  readonly vm: number;
  readonly vcpu: number;
  readonly eventfd: number;
}

/** What of a VM there is. */
export type Made = 'nothing' | 'only memory' | 'no vCPU' | 'no controllers' | 'all';

/** What one request does. */
export interface IoctlCase {
  readonly on: 'kvm' | 'vm' | 'vcpu';
  readonly request: number;
  /** Its argument. */
  readonly arg: (scene: Scene) => unknown;
  /** The fact that tells it, as far as it follows from the argument; undefined: it changes nothing. */
  readonly fact?: (scene: Scene) => Partial<MachineEvent>;
  readonly made: Made;
  /** What must have happened for the request to change something. */
  readonly before?: (scene: Scene) => void;
}

type On = IoctlCase['on'];

/** A request that only asks, and one that is taken and means nothing here, or is refused. */
const asks = (on: On, request: number, arg: unknown = {}, made: Made = 'all'): IoctlCase => ({
  on,
  request,
  arg: () => structuredClone(arg),
  made,
});

/** The same for many without an interesting argument. */
const allAsk = (on: On, ...requests: readonly number[]): IoctlCase[] => requests.map((request) => asks(on, request));

/** A request that changes something, its argument, and the fact that tells it. */
const tells = (
  on: On,
  request: number,
  arg: unknown,
  fact: Partial<MachineEvent>,
  more: { readonly made?: Made; readonly before?: (scene: Scene) => void } = {},
): IoctlCase => ({ on, request, arg: () => structuredClone(arg), fact: () => fact, made: 'all', ...more });

function asked<T extends object>(
  { kvm, vm, vcpu }: Scene,
  on: 'vm' | 'vcpu',
  request: number,
  into: Partial<T> = {},
): T {
  untyped(kvm).ioctl(on === 'vm' ? vm : vcpu, request, into);
  return into as T;
}

const REGION = { slot: 1, flags: 1, guestPhysAddr: 0x200000, memorySize: 0x3000, userspaceAddr: 0x200000 };
const IN_REGION = { slot: 1, gfn: 0x201 } as const;

/** A slot that logs, with one dirty page. */
function dirtyPage({ kvm, vm, origin }: Scene): void {
  kvm.ioctl(vm, io.KVM_SET_USER_MEMORY_REGION, REGION);
  origin.raise({ kind: 'sim:page_dirty', ...IN_REGION });
}

const withPit = ({ kvm, vm }: Scene): void => void kvm.ioctl(vm, io.KVM_CREATE_PIT2, { flags: 1 });
const ZONE = { addr: 0xb8000, size: 0x1000, pio: false };
const ROUTES = [{ gsi: 5, type: 'irqchip', irqchip: 2, pin: 7 }] as const;
const RANGES = [{ flags: 3, nmsrs: 8, base: 0x174, bitmap: Uint8Array.of(0xfe) }];
const XSAVE = Uint8Array.from({ length: 576 }, (_, at) => at & 0xff);
const KVM_CLOCK = 0x4b564d01;

const SYSTEM: readonly IoctlCase[] = [
  {
    ...asks('kvm', io.KVM_CREATE_VM, 0, 'nothing'),
    fact: ({ machine }) => ({ kind: 'ioctl:KVM_CREATE_VM', ns: machine.now() }),
  },
  ...allAsk('kvm', io.KVM_GET_API_VERSION, io.KVM_GET_VCPU_MMAP_SIZE, io.KVM_GET_SUPPORTED_CPUID),
  ...allAsk('kvm', io.KVM_GET_EMULATED_CPUID, io.KVM_X86_GET_MCE_CAP_SUPPORTED),
  asks('kvm', io.KVM_CHECK_EXTENSION, 3),
  asks('kvm', io.KVM_GET_MSR_INDEX_LIST, { indices: [] }),
  asks('kvm', io.KVM_GET_MSR_FEATURE_INDEX_LIST, { indices: [] }),
  asks('kvm', io.KVM_GET_MSRS, { entries: [{ index: 0x10a, data: 0n }] }),
  asks('kvm', io.KVM_HAS_DEVICE_ATTR, { group: 0, attr: 0 }),
  asks('kvm', io.KVM_GET_DEVICE_ATTR, { group: 0, attr: 0 }),
  asks('kvm', io.KVM_SET_DEVICE_ATTR, { group: 0, attr: 0, value: 1n }),
];

const MACHINE: readonly IoctlCase[] = [
  asks('vm', io.KVM_CHECK_EXTENSION, 3),
  tells('vm', io.KVM_CREATE_VCPU, 5, { kind: 'ioctl:KVM_CREATE_VCPU', vcpu_id: 1, id: 5 }),
  tells('vm', io.KVM_SET_USER_MEMORY_REGION, REGION, {
    kind: 'ioctl:KVM_SET_USER_MEMORY_REGION',
    slot: 1,
    flags: 1,
    guest_phys_addr: 0x200000,
    memory_size: 0x3000,
    userspace_addr: 0x200000,
  }),
  tells(
    'vm',
    io.KVM_GET_DIRTY_LOG,
    { slot: 1, bitmap: new Uint8Array(8) },
    { kind: 'ioctl:KVM_GET_DIRTY_LOG', slot: 1 },
    { before: dirtyPage },
  ),
  tells(
    'vm',
    io.KVM_CLEAR_DIRTY_LOG,
    { slot: 1, firstPage: 0, numPages: 3, bitmap: Uint8Array.of(2) },
    { kind: 'ioctl:KVM_CLEAR_DIRTY_LOG', slot: 1, first_page: 0, num_pages: 3, bitmap: Uint8Array.of(2) },
    { before: dirtyPage },
  ),
  tells('vm', io.KVM_SET_TSS_ADDR, 0xfffbd000, { kind: 'ioctl:KVM_SET_TSS_ADDR', addr: 0xfffbd000 }),
  tells(
    'vm',
    io.KVM_SET_IDENTITY_MAP_ADDR,
    0xfeffc000,
    { kind: 'ioctl:KVM_SET_IDENTITY_MAP_ADDR', addr: 0xfeffc000 },
    { made: 'no vCPU' },
  ),
  tells('vm', io.KVM_SET_BOOT_CPU_ID, 3, { kind: 'ioctl:KVM_SET_BOOT_CPU_ID', id: 3 }, { made: 'no vCPU' }),
  tells('vm', io.KVM_CREATE_IRQCHIP, 0, { kind: 'ioctl:KVM_CREATE_IRQCHIP' }, { made: 'only memory' }),
  tells('vm', io.KVM_IRQ_LINE, { irq: 5, level: 1 }, { kind: 'kvm_set_irq', gsi: 5, level: 1, irq_source_id: 0 }),
  tells(
    'vm',
    io.KVM_IRQ_LINE_STATUS,
    { irq: 5, level: 1 },
    { kind: 'kvm_set_irq', gsi: 5, level: 1, irq_source_id: 0 },
  ),
  asks('vm', io.KVM_GET_IRQCHIP, { chipId: 2 }),
  {
    on: 'vm',
    request: io.KVM_SET_IRQCHIP,
    made: 'all',
    arg: (scene) => ({ chipId: 2, state: ioapicWithId(scene) }),
    fact: (scene) => ({ kind: 'ioctl:KVM_SET_IRQCHIP', chip_id: 2, state: packIoapic(ioapicWithId(scene)) }),
  },
  tells(
    'vm',
    io.KVM_SET_GSI_ROUTING,
    { entries: ROUTES },
    {
      kind: 'ioctl:KVM_SET_GSI_ROUTING',
      entries: packRoutes(ROUTES),
    },
  ),
  tells(
    'vm',
    io.KVM_SIGNAL_MSI,
    { addressLow: 0xfee00000, addressHigh: 0, data: 0x4041 },
    { kind: 'kvm_msi_set_irq', address: 0xfee00000n, data: 0x4041 },
    { before: enableApic },
  ),
  {
    on: 'vm',
    request: io.KVM_IRQFD,
    made: 'all',
    arg: ({ eventfd: fd }) => ({ fd, gsi: 9, flags: 0 }),
    fact: ({ eventfd: fd }) => ({ kind: 'ioctl:KVM_IRQFD', fd, gsi: 9, flags: 0, resamplefd: -1 }),
  },
  {
    on: 'vm',
    request: io.KVM_IOEVENTFD,
    made: 'all',
    arg: ({ eventfd: fd }) => ({ fd, addr: 0x500, len: 2, datamatch: 7n, flags: 3 }),
    fact: ({ eventfd: fd }) => ({ kind: 'ioctl:KVM_IOEVENTFD', fd, addr: 0x500, len: 2, datamatch: 7n, flags: 3 }),
  },
  tells('vm', io.KVM_REGISTER_COALESCED_MMIO, ZONE, { kind: 'ioctl:KVM_REGISTER_COALESCED_MMIO', ...ZONE }),
  tells(
    'vm',
    io.KVM_UNREGISTER_COALESCED_MMIO,
    ZONE,
    { kind: 'ioctl:KVM_UNREGISTER_COALESCED_MMIO', ...ZONE },
    { before: ({ kvm, vm }) => void kvm.ioctl(vm, io.KVM_REGISTER_COALESCED_MMIO, ZONE) },
  ),
  tells('vm', io.KVM_CREATE_PIT2, { flags: 1 }, { kind: 'ioctl:KVM_CREATE_PIT2', flags: 1 }),
  { ...asks('vm', io.KVM_GET_PIT2), before: withPit },
  {
    on: 'vm',
    request: io.KVM_SET_PIT2,
    made: 'all',
    before: withPit,
    arg: (scene) => pitWithCount(scene),
    fact: (scene) => ({ kind: 'ioctl:KVM_SET_PIT2', state: packPit(pitWithCount(scene)), ns: scene.machine.now() }),
  },
  tells(
    'vm',
    io.KVM_REINJECT_CONTROL,
    { pitReinject: false },
    { kind: 'ioctl:KVM_REINJECT_CONTROL', pit_reinject: false },
    { before: withPit },
  ),
  asks('vm', io.KVM_GET_CLOCK),
  tells(
    'vm',
    io.KVM_SET_CLOCK,
    { clock: 5_000_000_000n, flags: 0 },
    {
      kind: 'ioctl:KVM_SET_CLOCK',
      clock: 5_000_000_000n,
    },
  ),
  asks('vm', io.KVM_SET_TSC_KHZ, 0),
  asks('vm', io.KVM_GET_TSC_KHZ),
  tells('vm', io.KVM_ENABLE_CAP, { cap: 188, args: [7n] }, { kind: 'ioctl:KVM_ENABLE_CAP', cap: 188, arg: 7 }),
  tells(
    'vm',
    io.KVM_X86_SET_MSR_FILTER,
    { flags: 0, ranges: RANGES },
    {
      kind: 'ioctl:KVM_X86_SET_MSR_FILTER',
      flags: 0,
      ranges: packMsrRanges(RANGES),
    },
  ),
  asks('vm', io.KVM_CREATE_DEVICE, { type: 1 }),
  ...[io.KVM_HAS_DEVICE_ATTR, io.KVM_GET_DEVICE_ATTR, io.KVM_SET_DEVICE_ATTR].map((request) =>
    asks('vm', request, { group: 0, attr: 0, value: 1n }),
  ),
];

/** SVR: the APIC takes messages. */
function enableApic(scene: Scene): void {
  scene.kvm.ioctl(scene.vcpu, io.KVM_SET_LAPIC, lapicWith(scene, 0xf1, 1));
}

function lapicWith(scene: Scene, offset: number, byte: number): io.LapicRegisters {
  const { regs } = asked<io.LapicRegisters>(scene, 'vcpu', io.KVM_GET_LAPIC);
  regs[offset] = byte;
  return { regs };
}

function ioapicWithId(scene: Scene): Parameters<typeof packIoapic>[0] {
  const { state } = asked<{ state: Parameters<typeof packIoapic>[0] }>(scene, 'vm', io.KVM_GET_IRQCHIP, {
    chipId: 2,
  } as object);
  return { ...state, id: 5 };
}

function pitWithCount(scene: Scene): Parameters<typeof packPit>[0] {
  const pit = asked<{ channels: Parameters<typeof packPit>[0]['channels'][number][]; flags: number }>(
    scene,
    'vm',
    io.KVM_GET_PIT2,
  );
  return { ...pit, channels: pit.channels.map((channel) => ({ ...channel, count: 0x1234 })) };
}

const EVENTS = {
  exception: { injected: false, pending: true, nr: 13, hasErrorCode: true, errorCode: 8, payload: undefined },
  interrupt: { injected: false, nr: 0, soft: false, shadow: 0 },
  nmi: { injected: false, pending: false, masked: false },
  sipiVector: 0,
  tripleFault: false,
  flags: 0,
};

const regsOf = (scene: Scene): io.Regs => ({ ...asked<io.Regs>(scene, 'vcpu', io.KVM_GET_REGS), rbx: 0x1234n });
const sregsOf = (scene: Scene): io.Sregs => ({ ...asked<io.Sregs>(scene, 'vcpu', io.KVM_GET_SREGS), cr3: 0x5000n });
const setsSregs = (request: number): IoctlCase => ({
  on: 'vcpu',
  request,
  made: 'all',
  arg: sregsOf,
  fact: (scene) => ({ kind: 'ioctl:KVM_SET_SREGS2', vcpu_id: 0, sregs: packSregs(sregsOf(scene)) }),
});
const CPUID = { entries: [{ function: 1, index: 0, flags: 0, eax: 0x306a9, ebx: 0, ecx: 1 << 24, edx: 0 }] };

const VCPU: readonly IoctlCase[] = [
  tells(
    'vcpu',
    io.KVM_RUN,
    { data: Uint8Array.of(7), immediateExit: true },
    {
      kind: 'ioctl:KVM_RUN',
      vcpu_id: 0,
      immediate_exit: true,
      data: Uint8Array.of(7),
    },
  ),
  ...allAsk('vcpu', io.KVM_GET_REGS, io.KVM_GET_SREGS, io.KVM_GET_SREGS2, io.KVM_GET_CPUID2, io.KVM_GET_FPU),
  ...allAsk('vcpu', io.KVM_GET_LAPIC, io.KVM_GET_MP_STATE, io.KVM_GET_VCPU_EVENTS, io.KVM_GET_DEBUGREGS),
  ...allAsk('vcpu', io.KVM_GET_XSAVE, io.KVM_GET_XSAVE2, io.KVM_GET_XCRS, io.KVM_GET_TSC_KHZ),
  ...allAsk('vcpu', io.KVM_SET_SIGNAL_MASK, io.KVM_TPR_ACCESS_REPORTING, io.KVM_SET_VAPIC_ADDR),
  asks('vcpu', io.KVM_SET_TSC_KHZ, 0),
  asks('vcpu', io.KVM_TRANSLATE, { linearAddress: 0n }),
  asks('vcpu', io.KVM_GET_MSRS, { entries: [{ index: 0x174, data: 0n }] }),
  asks('vcpu', io.KVM_ENABLE_CAP, { cap: 188, args: [7n] }),
  asks('vcpu', io.KVM_HAS_DEVICE_ATTR, { group: 0, attr: 0 }),
  asks('vcpu', io.KVM_GET_DEVICE_ATTR, { group: 0, attr: 0 }),
  tells(
    'vcpu',
    io.KVM_SET_DEVICE_ATTR,
    { group: 0, attr: 0, value: 77n },
    {
      kind: 'ioctl:KVM_SET_DEVICE_ATTR',
      vcpu_id: 0,
      group: 0,
      attr: 0,
      value: 77n,
    },
  ),
  {
    on: 'vcpu',
    request: io.KVM_SET_REGS,
    made: 'all',
    arg: regsOf,
    fact: (scene) => ({ kind: 'ioctl:KVM_SET_REGS', vcpu_id: 0, regs: packRegs(regsOf(scene)) }),
  },
  setsSregs(io.KVM_SET_SREGS),
  setsSregs(io.KVM_SET_SREGS2),
  tells(
    'vcpu',
    io.KVM_INTERRUPT,
    { irq: 33 },
    { kind: 'ioctl:KVM_INTERRUPT', vcpu_id: 0, irq: 33 },
    { made: 'no controllers' },
  ),
  tells(
    'vcpu',
    io.KVM_SET_MSRS,
    { entries: [{ index: 0x174, data: 0x10n }] },
    {
      kind: 'ioctl:KVM_SET_MSRS',
      vcpu_id: 0,
      entries: Uint8Array.of(0x74, 1, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0),
    },
  ),
  ...[io.KVM_SET_CPUID, io.KVM_SET_CPUID2].map((request) =>
    tells('vcpu', request, CPUID, { kind: 'ioctl:KVM_SET_CPUID2', vcpu_id: 0, x2apic: false, tsc_deadline: true }),
  ),
  tells(
    'vcpu',
    io.KVM_SET_FPU,
    { region: XSAVE.slice(0, 512) },
    {
      kind: 'ioctl:KVM_SET_FPU',
      vcpu_id: 0,
      region: XSAVE.slice(0, 512),
    },
  ),
  tells('vcpu', io.KVM_SET_XSAVE, { region: XSAVE }, { kind: 'ioctl:KVM_SET_XSAVE', vcpu_id: 0, region: XSAVE }),
  {
    on: 'vcpu',
    request: io.KVM_SET_LAPIC,
    made: 'all',
    arg: (scene) => lapicWith(scene, 0x80, 0x30),
    fact: (scene) => ({ kind: 'ioctl:KVM_SET_LAPIC', vcpu_id: 0, regs: lapicWith(scene, 0x80, 0x30).regs }),
  },
  tells('vcpu', io.KVM_SET_MP_STATE, { mpState: 3 }, { kind: 'ioctl:KVM_SET_MP_STATE', vcpu_id: 0, mp_state: 3 }),
  tells('vcpu', io.KVM_NMI, {}, { kind: 'ioctl:KVM_NMI', vcpu_id: 0 }),
  tells(
    'vcpu',
    io.KVM_SET_GUEST_DEBUG,
    { control: 0x10001, debugreg: [1n] },
    {
      kind: 'ioctl:KVM_SET_GUEST_DEBUG',
      vcpu_id: 0,
      control: 0x10001,
      debugreg: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0),
    },
  ),
  tells('vcpu', io.KVM_X86_SETUP_MCE, 0x10an, { kind: 'ioctl:KVM_X86_SETUP_MCE', vcpu_id: 0, mcg_cap: 0x10an }),
  tells('vcpu', io.KVM_SET_VCPU_EVENTS, EVENTS, {
    kind: 'ioctl:KVM_SET_VCPU_EVENTS',
    vcpu_id: 0,
    exception_pending: true,
    exception_nr: 13,
    has_error_code: true,
    error_code: 8,
  }),
  tells(
    'vcpu',
    io.KVM_SET_DEBUGREGS,
    { db: [1n, 2n, 3n, 4n], dr6: 0xffff0ff1n, dr7: 0x401n },
    {
      kind: 'ioctl:KVM_SET_DEBUGREGS',
      ...{ vcpu_id: 0, db0: 1n, db1: 2n, db2: 3n, db3: 4n, dr6: 0xffff0ff1n, dr7: 0x401n },
    },
  ),
  tells(
    'vcpu',
    io.KVM_SET_XCRS,
    { xcrs: [{ xcr: 0, value: 3n }] },
    {
      kind: 'ioctl:KVM_SET_XCRS',
      vcpu_id: 0,
      xcr0: 3n,
    },
  ),
  tells(
    'vcpu',
    io.KVM_KVMCLOCK_CTRL,
    {},
    { kind: 'ioctl:KVM_KVMCLOCK_CTRL', vcpu_id: 0 },
    {
      before: ({ kvm, vcpu }) =>
        void kvm.ioctl(vcpu, io.KVM_SET_MSRS, { entries: [{ index: KVM_CLOCK, data: 0x5001n }] }),
    },
  ),
];

/** Every request of every descriptor. */
export const IOCTL_CASES: readonly IoctlCase[] = [...SYSTEM, ...MACHINE, ...VCPU];
