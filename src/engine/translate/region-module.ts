import * as L from '../state/layout.ts';
import { assembleModule, type FunctionBody, type ImportedFunction } from '../wasm/module.ts';

/** What a region calls, by number. */
export const REGION_FN = { lookup: 0, settle: 1 } as const;

const IMPORTS: readonly ImportedFunction[] = [
  { name: 'lookup', signature: { params: ['i64'], results: ['i32'] } },
  { name: 'settle', signature: { params: ['i32', 'i64', 'i64'], results: [] } },
];

/** Globals of the handlers that a region uses, by number. */
export const REGION_GLOBAL = { ticks: 0, context: 1 } as const;

const GLOBALS = [
  { type: 'i32', name: 'ticks' },
  { type: 'i64', name: 'context' },
] as const;

/** One module of several regions: each is put into the handlers' table, of `tableSlots` slots, at its slot. */
export function regionModule(
  regions: readonly FunctionBody[],
  slots: readonly number[],
  tableSlots: number,
): Uint8Array {
  return assembleModule({
    imports: IMPORTS,
    functions: regions,
    importedGlobals: GLOBALS,
    table: { imported: true, slots: tableSlots },
    elements: slots.map((slot, at) => ({ slot, functions: [IMPORTS.length + at] })),
    memoryPages: L.HOST_MEMORY / 65536,
  });
}
