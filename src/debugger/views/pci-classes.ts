/** What QEMU calls the classes of PCI functions: PCI code and ID assignment, 1; names of QEMU 7.2's monitor. */
const CLASSES: ReadonlyMap<number, string> = new Map([
  [0x0001, 'VGA controller'],
  [0x0100, 'SCSI controller'],
  [0x0101, 'IDE controller'],
  [0x0102, 'Floppy controller'],
  [0x0104, 'RAID controller'],
  [0x0106, 'SATA controller'],
  [0x0180, 'Storage controller'],
  [0x0200, 'Ethernet controller'],
  [0x0280, 'Network controller'],
  [0x0300, 'VGA controller'],
  [0x0500, 'RAM controller'],
  [0x0580, 'Memory controller'],
  [0x0600, 'Host bridge'],
  [0x0601, 'ISA bridge'],
  [0x0604, 'PCI bridge'],
  [0x0680, 'Bridge'],
  [0x0c03, 'USB controller'],
]);

/** The name of a class, if it has one. */
export const className = (code: number): string | undefined => CLASSES.get(code);
