/** Ports of the in-kernel PIC and PIT: name, first, how many. */
export const KERNEL_PORTS = [
  ['kvm-pic', 0x20, 2],
  ['kvm-pit', 0x40, 4],
  ['kvm-pic', 0xa0, 2],
  ['kvm-elcr', 0x4d0, 1],
  ['kvm-elcr', 0x4d1, 1],
] as const;
