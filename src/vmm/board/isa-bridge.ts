/** The part that routes PCI interrupts to ISA lines. */
export const ISA_BRIDGE = 'piix3';
