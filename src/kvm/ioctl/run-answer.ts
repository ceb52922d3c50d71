/** What user space writes into the kvm_run page before it enters KVM_RUN: the ioctl's argument. */
export interface KvmRunAnswer {
  /** What a KVM_EXIT_IO in or a KVM_EXIT_MMIO read gave: size*count bytes. */
  readonly data?: Uint8Array;
  /** What an MSR exit gave; `error` other than 0 is #GP. */
  readonly msr?: { readonly data: bigint; readonly error: number };
  /** Finish what is pending and come back with EINTR. */
  readonly immediateExit?: boolean;
  /** Leave as soon as the guest takes interrupts. Without an in-kernel controller only. */
  readonly requestInterruptWindow?: boolean;
  /** Without an in-kernel controller: the task priority. */
  readonly cr8?: number;
}
