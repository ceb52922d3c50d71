/** What the machine `pc` can have: on the command line, and in the header of a trace that anybody may have written. */
export const MOST = {
  /** 32-bit PCI hole and the address space below it. */
  memoryMiB: 3072,
  cpus: 4,
  /** More than there are slots, ports and interrupts for. */
  devices: 64,
  serialLines: 4,
  nsPerTick: 1_000_000,
  /** Of each of `events/costs.ts`: a second. */
  costNs: 1_000_000_000,
} as const;
