/** KVM's half of the machine, behind /dev/kvm. */
import type { Kvm, KvmHost, KvmRun, VcpuProgress } from './api.ts';
import { checkExtension } from './capabilities.ts';
import { guestTsc, TSC_KHZ } from './clock/tsc.ts';
import { type KvmContext, REQ_EVENT, request, vmOf } from './context.ts';
import { BASELINE_FEATURES, type CpuFeatures, supportedCpuid } from './cpuid.ts';
import { systemAttribute } from './device-attributes.ts';
import { E2BIG, EBADF, EBUSY, EINVAL, ENOTTY } from './errno.ts';
import { consumeEventfd, resample, signalEventfd } from './eventfd.ts';
import { fileOf, openFile } from './files.ts';
import type { Guest } from './guest.ts';
import { VCPU_IOCTLS } from './ioctl-vcpu.ts';
import { VM_IOCTLS } from './ioctl-vm.ts';
import * as io from './ioctls.ts';
import type { IrqEffects } from './irqchip/effects.ts';
import { expireIrqchip, irqchipDeadline } from './irqchip/index.ts';
import { ARCH_CAPABILITIES, listedMsrs } from './msrs.ts';
import type { FileState, KvmState, VcpuState } from './state.ts';
import { isVcpuRunnable } from './vcpu/blocking.ts';
import { injectNmi } from './vcpu/exceptions.ts';
import { advanceVcpu } from './vcpu/run.ts';

const API_VERSION = 12;
/** kvm_run, the PIO data page and the coalesced ring. */
const VCPU_MMAP_SIZE = 0x3000;
const IA32_ARCH_CAPABILITIES = 0x10a;
const MCG_CAP_SUPPORTED = 0x1000120n;

/** KVM with what the simulator's own parts may also ask of it. */
export interface KvmKernel extends Kvm {
  /** Everything KVM remembers. A restored checkpoint is put here. */
  state: KvmState;
  /** What the last KVM_RUN of a vCPU returned: 0 or a negative errno. */
  runResult(vcpu: number): number;
}

/** The state before anybody opened /dev/kvm. */
export function createKvmState(): KvmState {
  return { files: [], vm: undefined, vcpus: [], ept: { root: 0, next: 0, free: [], used: 0 } };
}

/** KVM over a processor. `features`: what the processor can do beyond x86-64-v2. */
export function createKvm(
  guest: Guest,
  host: KvmHost,
  state: KvmState = createKvmState(),
  features: CpuFeatures = BASELINE_FEATURES,
): KvmKernel {
  const kvm: KvmContext = { guest, host, features, state, irq: undefined as unknown as IrqEffects };
  (kvm as { irq: IrqEffects }).irq = irqEffects(kvm);
  return {
    get state() {
      return kvm.state;
    },
    set state(next) {
      kvm.state = next;
    },
    open: () => openFile(kvm, { kind: 'kvm' }),
    ioctl: (fd, request, arg) => ioctl(kvm, fd, request, arg),
    run: (fd) => runPage(kvm, fd),
    coalescedRing: () => vmOf(kvm).ring,
    eventfd: () => openFile(kvm, { kind: 'eventfd', count: 0 }),
    signal: (fd) => signalEventfd(kvm, fd, 'user space'),
    consume: (fd) => consumeEventfd(kvm, fd, 'user space'),
    advance: (vcpu, budget): VcpuProgress => advanceVcpu(kvm, kvm.state.vcpus[vcpu], budget),
    isRunnable: (vcpu) => isVcpuRunnable(kvm, kvm.state.vcpus[vcpu]),
    deadline: () => (kvm.state.vm?.irqchip === undefined ? undefined : irqchipDeadline(kvm.state.vm.irqchip)),
    expire: () => {
      if (kvm.state.vm?.irqchip !== undefined) expireIrqchip(kvm.state.vm.irqchip, kvm.irq);
    },
    runResult: (vcpu) => kvm.state.vcpus[vcpu].runResult,
  };
}

/** What interrupt controllers do to vCPUs. */
function irqEffects(kvm: KvmContext): IrqEffects {
  const of = (vcpu: number): VcpuState => kvm.state.vcpus[vcpu];
  return {
    now: () => kvm.host.now(),
    guestTsc: (vcpu) => guestTsc(kvm, of(vcpu)),
    raise: (event) => kvm.host.raise(event),
    kick: (vcpu) => {
      const target = of(vcpu);
      if (target !== undefined) request(target, REQ_EVENT);
    },
    nmi: (vcpu) => injectNmi(of(vcpu)),
    init: (vcpu) => {
      const { events } = of(vcpu);
      events.initPending = true;
      events.sipiPending = false;
      request(of(vcpu), REQ_EVENT);
    },
    sipi: (vcpu, vector) => {
      const { events } = of(vcpu);
      events.sipiPending = true;
      events.sipiVector = vector;
      request(of(vcpu), REQ_EVENT);
    },
    unhalt: (vcpu) => {
      of(vcpu).events.unhalted = true;
    },
    acked: (gsi) => resample(kvm, gsi),
  };
}

function runPage(kvm: KvmContext, fd: number): KvmRun {
  const file = fileOf(kvm, fd);
  if (file?.kind !== 'vcpu') throw new TypeError('only a vCPU has a kvm_run page');
  return kvm.state.vcpus[file.vcpu].run;
}

/** One ioctl: performed, then told. KVM_RUN is told by its exits. */
function ioctl(kvm: KvmContext, fd: number, requestNumber: number, arg: unknown): number {
  const file = fileOf(kvm, fd);
  if (file === undefined) return -EBADF;
  const ret = dispatch(kvm, file, requestNumber, arg);
  if (requestNumber === io.KVM_RUN) return ret;
  kvm.host.raise({
    kind: 'sim:ioctl',
    fd: nameOf(file),
    nr: requestNumber,
    name: io.IOCTLS[requestNumber]?.name ?? 'unknown',
    argDigest: describe(arg),
    ret,
  });
  return ret;
}

function dispatch(kvm: KvmContext, file: FileState, requestNumber: number, arg: unknown): number {
  switch (file.kind) {
    case 'kvm':
      return systemIoctl(kvm, requestNumber, arg);
    case 'vm': {
      const handler = VM_IOCTLS[requestNumber];
      return handler === undefined ? -ENOTTY : handler(kvm, arg as never);
    }
    case 'vcpu': {
      const handler = VCPU_IOCTLS[requestNumber];
      return handler === undefined ? -EINVAL : handler(kvm, kvm.state.vcpus[file.vcpu], arg as never);
    }
    default:
      return -ENOTTY;
  }
}

function nameOf(file: FileState): string {
  return file.kind === 'vcpu' ? `vcpu${file.vcpu}` : file.kind;
}

/** Scalars as they are; structures by the scalars in them, cut short. */
function describe(arg: unknown): string {
  if (arg === undefined) return '0';
  if (typeof arg === 'number') return `0x${arg.toString(16)}`;
  if (typeof arg === 'bigint') return `0x${arg.toString(16)}`;
  if (typeof arg !== 'object' || arg === null) return String(arg);
  const parts: string[] = [];
  for (const [name, value] of Object.entries(arg)) {
    if (typeof value === 'number' || typeof value === 'bigint') parts.push(`${name}=0x${value.toString(16)}`);
    if (parts.length === 6) break;
  }
  return parts.join(' ');
}

/** Requests of /dev/kvm itself. Linux kvm_dev_ioctl, kvm_arch_dev_ioctl. */
function systemIoctl(kvm: KvmContext, requestNumber: number, arg: unknown): number {
  switch (requestNumber) {
    case io.KVM_GET_API_VERSION:
      return API_VERSION;
    case io.KVM_CREATE_VM:
      return createVm(kvm);
    case io.KVM_CHECK_EXTENSION:
      return checkExtension(arg as number);
    case io.KVM_GET_VCPU_MMAP_SIZE:
      return VCPU_MMAP_SIZE;
    case io.KVM_GET_MSR_INDEX_LIST:
      return fillIndices(arg as io.MsrIndexList, listedMsrs());
    case io.KVM_GET_MSR_FEATURE_INDEX_LIST:
      return fillIndices(arg as io.MsrIndexList, [IA32_ARCH_CAPABILITIES]);
    case io.KVM_GET_MSRS:
      return featureMsrs(arg as io.MsrList);
    case io.KVM_GET_SUPPORTED_CPUID:
      (arg as io.CpuidTable).entries = supportedCpuid(kvm.features);
      return 0;
    case io.KVM_GET_EMULATED_CPUID:
      (arg as io.CpuidTable).entries = [];
      return 0;
    case io.KVM_HAS_DEVICE_ATTR:
      return systemAttribute(arg as io.DeviceAttribute, false);
    case io.KVM_GET_DEVICE_ATTR:
      return systemAttribute(arg as io.DeviceAttribute, true);
    case io.KVM_X86_GET_MCE_CAP_SUPPORTED:
      (arg as { cap: bigint }).cap = MCG_CAP_SUPPORTED;
      return 0;
    default:
      return io.IOCTLS[requestNumber] === undefined ? -ENOTTY : -EINVAL;
  }
}

/** KVM_GET_MSRS of the system: features user space may offer its guest, up to the first that is none. */
function featureMsrs({ entries }: io.MsrList): number {
  const end = entries.findIndex(({ index }) => index !== IA32_ARCH_CAPABILITIES);
  const known = end < 0 ? entries : entries.slice(0, end);
  for (const entry of known) entry.data = ARCH_CAPABILITIES;
  return known.length;
}

/** E2BIG tells how many there are, as user space's first call wants to know. */
function fillIndices(list: io.MsrIndexList, indices: number[]): number {
  const tooSmall = list.indices.length > 0 && list.indices.length < indices.length;
  list.indices = indices;
  return tooSmall ? -E2BIG : 0;
}

function createVm(kvm: KvmContext): number {
  if (kvm.state.vm !== undefined) return -EBUSY;
  kvm.state.vm = {
    slots: [],
    generation: 0,
    validGen: 0,
    irqchip: undefined,
    irqfds: [],
    ioeventfds: [],
    coalesced: [],
    ring: { first: 0, last: 0, entries: [] },
    msrFilter: undefined,
    clock: {
      kvmclockOffset: 0 - kvm.host.now(),
      useMasterClock: true,
      masterKernelNs: kvm.host.now(),
      masterTsc: kvm.host.hostTsc(),
      wallClockMsr: 0n,
    },
    caps: {},
    tssAddr: 0,
    identityMapAddr: 0xfffbc000,
    bootCpu: 0,
    tscKhz: TSC_KHZ,
  };
  return openFile(kvm, { kind: 'vm' });
}
