/** What `-smbios` and `-uuid` say in place of what the machine says of itself, by type of structure. */
export interface SmbiosSaid {
  /** By type, then by QEMU's name of the field. */
  readonly fields: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Type 11: the maker's own strings. */
  readonly strings: readonly string[];
}

/** The fields of each type that can be said, as QEMU names them. QEMU hw/smbios/smbios.c, qemu_smbios_type*_opts. */
export const SMBIOS_FIELDS: Readonly<Record<string, readonly string[]>> = {
  1: ['manufacturer', 'product', 'version', 'serial', 'uuid', 'sku', 'family'],
  2: ['manufacturer', 'product', 'version', 'serial', 'asset', 'location'],
  3: ['manufacturer', 'version', 'serial', 'asset', 'sku'],
  4: ['sock_pfx', 'manufacturer', 'version', 'serial', 'asset', 'part', 'max-speed', 'current-speed'],
  11: ['value'],
  17: ['loc_pfx', 'bank', 'manufacturer', 'serial', 'asset', 'part', 'speed'],
};

/** The fields of SMBIOS_FIELDS that are numbers, of two bytes. */
export const SMBIOS_NUMBERS: ReadonlySet<string> = new Set(['max-speed', 'current-speed', 'speed']);

/** Characters that all strings together may have: the tables have their place in low memory. */
export const SMBIOS_CHARACTERS = 4096;

/** Sixteen bytes of `12345678-1234-1234-1234-123456789abc`, in the order it is written. */
export const uuidBytes = (uuid: string): number[] =>
  [...uuid.replaceAll('-', '').matchAll(/../g)].map(([digits]) => Number.parseInt(digits, 16));
