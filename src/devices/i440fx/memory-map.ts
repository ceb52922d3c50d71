import type { I440fxState } from './state.ts';

/** One stretch of memory below 1 MB and where its reads and writes go: RAM, or the PCI bus (ROM). */
export interface PamSegment {
  readonly base: number;
  readonly length: number;
  readonly readsRam: boolean;
  readonly writesRam: boolean;
}

const PAM0 = 0x59;
const SMRAM = 0x72;

/** The 13 segments PAM registers 0x59-0x5f govern. 82441FX data sheet, 3.2.15. */
export function pamSegments(bridge: I440fxState): readonly PamSegment[] {
  const { config } = bridge;
  const segments = [segment(0xf0000, 0x10000, config[PAM0]! >> 4)];
  for (let index = 0; index < 12; index++) {
    const register = config[PAM0 + 1 + (index >> 1)]!;
    segments.push(segment(0xc0000 + index * 0x4000, 0x4000, register >> (index & 1 ? 4 : 0)));
  }
  return segments;
}

/** SMRAM control, register 0x72. 82441FX data sheet, 3.2.19. */
export function smramControl(bridge: I440fxState): { readonly enabled: boolean; readonly open: boolean } {
  const value = bridge.config[SMRAM]!;
  return { enabled: (value & 0x08) !== 0, open: (value & 0x40) !== 0 };
}

function segment(base: number, length: number, attributes: number): PamSegment {
  return { base, length, readsRam: (attributes & 1) !== 0, writesRam: (attributes & 2) !== 0 };
}
