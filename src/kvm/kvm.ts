/** KVM's half of the machine, behind /dev/kvm. */
import { unreachable } from '../base/invariant.ts';
import { Origin } from '../events/origin.ts';
import { MAIN_LOOP } from '../events/stamped.ts';
import { earliestDeadline } from '../events/timers.ts';
import type { CoalescedRing, Kvm, KvmKernel, KvmRun } from './api.ts';
import { checkExtension } from './ioctl/capabilities.ts';
import { takeCoalesced } from './io/coalesced.ts';
import { KvmContext, type KvmHost, type KvmModule, vmOf } from './context.ts';
import { BASELINE_FEATURES, type CpuFeatures, supportedCpuid } from './vcpu/cpuid.ts';
import { systemAttribute } from './ioctl/device-attributes.ts';
import { E2BIG, EBADF, EBUSY, EINVAL, ENOTTY } from '../base/errno.ts';
import { consumeEventfd, resample, signalEventfd } from './io/eventfd.ts';
import { EVENTFD_PATH, fileOf, KVM_PATH, nextFd, openFile } from './ioctl/files.ts';
import type { Processor } from './processor.ts';
import { VCPU_IOCTLS } from './ioctl/vcpu.ts';
import { VM_IOCTLS } from './ioctl/vm.ts';
import type { IoctlArguments, IoctlRequest, IoctlTable } from './ioctl/arguments.ts';
import * as io from './ioctl/ioctls.ts';
import { mmioRead } from './io/buses.ts';
import { expireIrqchip } from './irqchip/index.ts';
import { ARCH_CAPABILITIES, listedMsrs } from './vcpu/msrs.ts';
import type { FileState } from './state.ts';
import { isVcpuRunnable, isWakeable } from './vcpu/blocking.ts';
import { advanceVcpu } from './vcpu/run.ts';
import { loadedVmcs, obey } from './vmcs/controls.ts';
import { MSR } from '../x86/msrs.ts';

const API_VERSION = 12;
/** kvm_run, the PIO data page and the coalesced ring. */
const VCPU_MMAP_SIZE = 0x3000;
const MCG_CAP_SUPPORTED = 0x1000120n;
/** What happens at every access of a device has a fact of its own already. */
const UNTOLD: readonly number[] = [io.KVM_RUN, io.KVM_IRQ_LINE, io.KVM_IRQ_LINE_STATUS];

/** For questions, which raise nothing. */
const NOBODY = new Origin(() => {
  throw new TypeError('a question raised a fact');
}, MAIN_LOOP);

/** KVM over a processor. `features`: what the processor can do beyond x86-64-v2. */
export function createKvm(processor: Processor, host: KvmHost, features: CpuFeatures = BASELINE_FEATURES): KvmKernel {
  const module: KvmModule = { processor, host, features, resample };
  const asked = new KvmContext(module, NOBODY);
  return {
    calledBy: (origin) => new SystemCalls(new KvmContext(module, origin)),
    advance: (vcpu, budget, origin) => advanceVcpu(new KvmContext(module, origin), host.state.vcpus[vcpu]!, budget),
    peek: (vcpu, gpa, length, origin) => mmioRead(new KvmContext(module, origin), host.state.vcpus[vcpu]!, gpa, length),
    isRunnable: (vcpu) => isVcpuRunnable(asked, host.state.vcpus[vcpu]!),
    isWakeable: (vcpu) => isWakeable(asked, host.state.vcpus[vcpu]!),
    expire: (origin) => {
      if (earliestDeadline(host.state.timers) > host.now()) return false;
      expireIrqchip(new KvmContext(module, origin));
      return true;
    },
    restored: () => {
      for (const vcpu of host.state.vcpus) obey(asked, loadedVmcs(vcpu));
    },
  };
}

/** One caller's system calls. */
class SystemCalls implements Kvm {
  private readonly kvm: KvmContext;

  constructor(kvm: KvmContext) {
    this.kvm = kvm;
  }

  open(): number {
    return openFile(this.kvm, KVM_PATH);
  }

  ioctl(fd: number, request: IoctlRequest, arg?: IoctlArguments[IoctlRequest]): number {
    return ioctl(this.kvm, fd, request, arg as IoctlArguments[IoctlRequest]);
  }

  run(vcpuFd: number): KvmRun {
    const file = fileOf(this.kvm, vcpuFd);
    if (file?.kind !== 'vcpu') throw new TypeError('only a vCPU has a kvm_run page');
    return this.kvm.state.vcpus[file.vcpu]!.run;
  }

  coalescedRing(): CoalescedRing {
    return vmOf(this.kvm).ring;
  }

  takeCoalesced(): void {
    takeCoalesced(this.kvm);
  }

  eventfd(): number {
    return openFile(this.kvm, EVENTFD_PATH);
  }

  signal(fd: number, by = 'user space'): void {
    signalEventfd(this.kvm, fd, by);
  }

  consume(fd: number): number {
    return consumeEventfd(this.kvm, fd, 'user space');
  }
}

/** One ioctl: performed, then told with its result. */
function ioctl<R extends IoctlRequest>(kvm: KvmContext, fd: number, requestNumber: R, arg: IoctlArguments[R]): number {
  const file = fileOf(kvm, fd);
  if (file === undefined) return -EBADF;
  const ret = dispatch(kvm, file, requestNumber, arg);
  if (UNTOLD.includes(requestNumber)) return ret;
  kvm.raise({
    kind: 'sim:ioctl',
    fd: nameOf(file),
    nr: requestNumber,
    name: io.IOCTLS[requestNumber]?.name ?? 'unknown',
    argDigest: describe(arg),
    ret,
  });
  return ret;
}

function dispatch<R extends IoctlRequest>(
  kvm: KvmContext,
  file: FileState,
  request: R,
  arg: IoctlArguments[R],
): number {
  switch (file.kind) {
    case 'kvm':
      return SYSTEM_IOCTLS[request]?.(kvm, arg) ?? (io.IOCTLS[request] === undefined ? -ENOTTY : -EINVAL);
    case 'vm':
      return VM_IOCTLS[request]?.(kvm, arg) ?? -ENOTTY;
    case 'vcpu':
      return VCPU_IOCTLS[request]?.(kvm, kvm.state.vcpus[file.vcpu]!, arg) ?? -EINVAL;
    case 'eventfd':
      return -ENOTTY;
    default:
      return unreachable(file);
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
const SYSTEM_IOCTLS: IoctlTable<[kvm: KvmContext]> = {
  [io.KVM_GET_API_VERSION]: () => API_VERSION,
  [io.KVM_CREATE_VM]: createVm,
  [io.KVM_CHECK_EXTENSION]: (_kvm, cap) => checkExtension(cap),
  [io.KVM_GET_VCPU_MMAP_SIZE]: () => VCPU_MMAP_SIZE,
  [io.KVM_GET_MSR_INDEX_LIST]: (_kvm, list) => fillIndices(list, listedMsrs()),
  [io.KVM_GET_MSR_FEATURE_INDEX_LIST]: (_kvm, list) => fillIndices(list, [MSR.ARCH_CAPABILITIES]),
  [io.KVM_GET_MSRS]: (_kvm, list) => featureMsrs(list),
  [io.KVM_GET_SUPPORTED_CPUID]: (kvm, table) => {
    table.entries = supportedCpuid(kvm.features);
    return 0;
  },
  [io.KVM_GET_EMULATED_CPUID]: (_kvm, table) => {
    table.entries = [];
    return 0;
  },
  [io.KVM_HAS_DEVICE_ATTR]: (_kvm, attribute) => systemAttribute(attribute, false),
  [io.KVM_GET_DEVICE_ATTR]: (_kvm, attribute) => systemAttribute(attribute, true),
  [io.KVM_X86_GET_MCE_CAP_SUPPORTED]: (_kvm, out) => {
    out.cap = MCG_CAP_SUPPORTED;
    return 0;
  },
};

/** KVM_GET_MSRS of the system: features user space may offer its guest, up to the first that is none. */
function featureMsrs({ entries }: io.MsrList): number {
  const end = entries.findIndex(({ index }) => index !== MSR.ARCH_CAPABILITIES);
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
  const fd = nextFd(kvm);
  kvm.raise({ kind: 'ioctl:KVM_CREATE_VM', fd, ns: kvm.now(), tsc: kvm.hostTsc() });
  return fd;
}
