import type { CodeCache } from '../code/cache.ts';
import type { Form } from '../meanings/form.ts';
import { type HandlerInstance, type Instantiate, REGION_SLOTS } from '../meanings/handlers.ts';
import type { EngineMemory } from '../state/memory.ts';
import type { TierOptions } from './tier.ts';
import { Translator } from './translator.ts';

/** What a translator works with. */
export interface Bound {
  readonly memory: EngineMemory;
  readonly handlers: HandlerInstance;
  /** How many handlers there are, and what they do, by slot. */
  readonly slots: number;
  forms(): readonly (Form | undefined)[];
  /** Slot of the handler that only leads on. */
  readonly gotoSlot: number;
  readonly instantiate: Instantiate;
  readonly code: CodeCache;
  /** The code mode the processor is in. */
  mode(): number;
  readonly tier: TierOptions;
}

/** A translator whose regions share memory, table and globals with the handlers of an engine. */
export function translatorFor({
  memory,
  handlers,
  slots,
  forms,
  gotoSlot,
  instantiate,
  code,
  mode,
  tier,
}: Bound): Translator {
  const { ticks, context, table, lookup, settle } = handlers;
  const translator = new Translator({
    ...{ memory, slots, forms, gotoSlot, tableSlots: slots + REGION_SLOTS, options: tier },
    shadow: (record, page) => code.shadow(record, page),
    pageOf: (record) => code.pageOf(record, mode()),
    bind: (binary) => {
      const regions = new WebAssembly.Module(binary as BufferSource);
      instantiate(regions, { memory: memory.memory, table, ticks, context, lookup, settle });
    },
  });
  code.heat = tier.threshold;
  code.onForget = translator;
  return translator;
}
