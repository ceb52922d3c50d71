/** The address register of configuration mechanism #1. PCI 3.0, 3.2.2.3.2. */
export interface ConfigTarget {
  readonly bus: number;
  readonly slot: number;
  readonly function: number;
  readonly register: number;
}

const ENABLE = 0x8000_0000;

/** What an access to port 0xcfc + `offset` names, or undefined while CONFIG_ADDRESS is not enabled. */
export function configTarget(address: number, offset: number): ConfigTarget | undefined {
  if (address >>> 0 < ENABLE) return undefined;
  return {
    bus: (address >>> 16) & 0xff,
    slot: (address >>> 11) & 0x1f,
    function: (address >>> 8) & 7,
    // Deviation: bits 1:0 are wired to zero in hardware; QEMU keeps them, and kvm-unit-tests read words by them.
    register: (address & 0xff) | (offset & 3),
  };
}

/** PIRQ (0 = A) that pin `pin` (1 = INTA#) of a slot on bus 0 of the i440FX machine is wired to. */
export function pirqOf(slot: number, pin: number): number {
  return (slot - 1 + (pin - 1)) & 3;
}
