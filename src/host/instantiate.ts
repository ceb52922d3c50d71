import type { HandlerInstance } from '../engine/index.ts';

/** Instantiate the engine's handlers. */
export function instantiateHandlers(handlers: WebAssembly.Module, env: WebAssembly.ModuleImports): HandlerInstance {
  const { exports } = new WebAssembly.Instance(handlers, { env });
  return exports as unknown as HandlerInstance;
}
