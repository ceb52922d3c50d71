import type { HandlerInstance, Instantiate } from '../engine/index.ts';

/** Instantiate the engine's handlers. */
export const instantiate: Instantiate = (handlers, env) =>
  new WebAssembly.Instance(handlers, { env }).exports as unknown as HandlerInstance;
