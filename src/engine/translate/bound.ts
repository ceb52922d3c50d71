import type { CodeCache } from '../code/cache.ts';
import {
  type HandlerInstance,
  type HandlerModule,
  handlerModule,
  type Instantiate,
  REGION_SLOTS,
} from '../meanings/handlers.ts';
import type { EngineMemory } from '../state/memory.ts';
import { type TierOptions, tierWith } from './tier.ts';
import { Translator } from './translator.ts';

/** How code is to be executed. */
export interface ExecutionOptions {
  readonly instantiate: Instantiate;
  /** What `buildHandlers` of this very code gave at another time; without, it is done when first needed. */
  readonly handlers?: Uint8Array | undefined;
  /** How code that is executed often is translated; without: not at all. */
  readonly tier?: Partial<TierOptions>;
}

/** What executes code. */
export interface Execution {
  readonly instantiate: Instantiate;
  readonly handlers: HandlerModule;
  readonly tier: TierOptions;
}

export const executionFor = ({ instantiate, handlers, tier }: ExecutionOptions): Execution => ({
  instantiate,
  handlers: handlerModule(handlers),
  tier: tierWith(tier),
});

/** What a translator works with. */
interface Bound {
  readonly memory: EngineMemory;
  readonly instance: HandlerInstance;
  readonly by: Execution;
  readonly code: CodeCache;
  /** The code mode the processor is in. */
  mode(): number;
}

/** A translator whose regions share memory, table and globals with the handlers of an engine. */
export function translatorFor({ memory, instance, by, code, mode }: Bound): Translator {
  const { ticks, context, table, lookup, settle } = instance;
  const { slots, forms } = by.handlers;
  const translator = new Translator({
    ...{ memory, slots: slots.size, forms, gotoSlot: slots.get('goto::') as number },
    ...{ tableSlots: slots.size + REGION_SLOTS, options: by.tier },
    shadow: (record, page) => code.shadow(record, page),
    pageOf: (record) => code.pageOf(record, mode()),
    bind: (binary) => {
      const regions = new WebAssembly.Module(binary as BufferSource);
      by.instantiate(regions, { memory: memory.memory, table, ticks, context, lookup, settle });
    },
  });
  code.heat = by.tier.threshold;
  code.onForget = translator;
  return translator;
}
