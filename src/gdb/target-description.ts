import { FEATURES, REGISTERS, type RegisterRow } from './registers.ts';

/** GDB manual, appendix G "Target Descriptions"; flags by SDM Vol. 3, 2.3, 2.5, 2.2.1 and Vol. 1, 10.2.3. */
const FLAGS: Readonly<Record<string, { readonly bytes: 4 | 8; readonly bits: Readonly<Record<string, number>> }>> = {
  x86_eflags: {
    bytes: 4,
    bits: {
      CF: 0,
      '': 1,
      PF: 2,
      AF: 4,
      ZF: 6,
      SF: 7,
      TF: 8,
      IF: 9,
      DF: 10,
      OF: 11,
      NT: 14,
      RF: 16,
      VM: 17,
      AC: 18,
      VIF: 19,
      VIP: 20,
      ID: 21,
    },
  },
  x86_mxcsr: {
    bytes: 4,
    bits: { IE: 0, DE: 1, ZE: 2, OE: 3, UE: 4, PE: 5, DAZ: 6, IM: 7, DM: 8, ZM: 9, OM: 10, UM: 11, PM: 12, FZ: 15 },
  },
  x86_cr0: { bytes: 8, bits: { PE: 0, MP: 1, EM: 2, TS: 3, ET: 4, NE: 5, WP: 16, AM: 18, NW: 29, CD: 30, PG: 31 } },
  x86_cr4: {
    bytes: 8,
    bits: {
      VME: 0,
      PVI: 1,
      TSD: 2,
      DE: 3,
      PSE: 4,
      PAE: 5,
      MCE: 6,
      PGE: 7,
      PCE: 8,
      OSFXSR: 9,
      OSXMMEXCPT: 10,
      UMIP: 11,
      VMXE: 13,
      FSGSBASE: 16,
      PCIDE: 17,
      OSXSAVE: 18,
      SMEP: 20,
      SMAP: 21,
      PKE: 22,
    },
  },
  x86_efer: { bytes: 8, bits: { SCE: 0, LME: 8, LMA: 10, NXE: 11 } },
};

const VECTORS: readonly (readonly [string, string, number, string])[] = [
  ['v4f', 'ieee_single', 4, 'v4_float'],
  ['v2d', 'ieee_double', 2, 'v2_double'],
  ['v16i8', 'int8', 16, 'v16_int8'],
  ['v8i16', 'int16', 8, 'v8_int16'],
  ['v4i32', 'int32', 4, 'v4_int32'],
  ['v2i64', 'int64', 2, 'v2_int64'],
];

function flagsText(id: string): string {
  const flags = FLAGS[id];
  if (flags === undefined) return '';
  const fields = Object.entries(flags.bits).map(([name, bit]) => `<field name="${name}" start="${bit}" end="${bit}"/>`);
  return `<flags id="${id}" size="${flags.bytes}">${fields.join('')}</flags>\n`;
}

function vectorText(): string {
  const vectors = VECTORS.map(([id, type, count]) => `<vector id="${id}" type="${type}" count="${count}"/>\n`);
  const fields = VECTORS.map(([id, , , name]) => `<field name="${name}" type="${id}"/>`);
  return `${vectors.join('')}<union id="vec128">${fields.join('')}<field name="uint128" type="uint128"/></union>\n`;
}

function registerText({ name, bits, type, group, isPseudo }: RegisterRow): string {
  const kept = isPseudo === true ? ' save-restore="no"' : '';
  const grouped = group === undefined ? '' : ` group="${group}"`;
  return `<reg name="${name}" bitsize="${bits}" type="${type}"${grouped}${kept}/>\n`;
}

function featureText(feature: keyof typeof FEATURES): string {
  const rows = REGISTERS.filter((row) => row.feature === feature);
  const types = [...new Set(rows.map(({ type }) => type))];
  const vector = types.includes('vec128') ? vectorText() : '';
  const registers = rows.map(registerText).join('');
  return `<feature name="${FEATURES[feature]}">\n${vector}${types.map(flagsText).join('')}${registers}</feature>\n`;
}

/** target.xml: the registers of x86-64 in every mode, since their layout may not change during a session. */
export const TARGET_XML: string = [
  '<?xml version="1.0"?>\n<!DOCTYPE target SYSTEM "gdb-target.dtd">\n<target version="1.0">\n',
  '<architecture>i386:x86-64</architecture>\n',
  ...(Object.keys(FEATURES) as (keyof typeof FEATURES)[]).map(featureText),
  '</target>\n',
].join('');
