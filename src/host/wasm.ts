import type { HandlerInstance, Instantiate } from '../engine/index.ts';

/** Instantiate the engine's handlers. */
export const instantiate: Instantiate = (handlers, env) =>
  new WebAssembly.Instance(handlers as WebAssembly.Module, { env: env as WebAssembly.ModuleImports })
    .exports as unknown as HandlerInstance;
