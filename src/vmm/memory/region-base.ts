import type { Draft } from '../../base/draft.ts';
import { type PciFunctionState, regionBase } from '../../devices/pci/index.ts';
import type { PartConfig } from '../config.ts';
import { functionOf } from '../models.ts';
import type { VmmState } from '../state.ts';

/** Where a part's region lies now; `undefined`: nowhere. */
export function regionBaseOf(
  { devices }: VmmState | Draft<VmmState>,
  part: PartConfig,
  region: number,
): number | undefined {
  const pci = functionOf(part);
  if (pci === undefined) return part.bases[region];
  return regionBase(pci, (devices as unknown as Readonly<Record<string, PciFunctionState>>)[part.name]!, region);
}
