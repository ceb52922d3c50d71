import type { HandlerInstance } from '../engine/index.ts';

/** Compile and instantiate the engine's handlers. */
export function instantiateHandlers(bytes: Uint8Array, env: WebAssembly.ModuleImports): HandlerInstance {
  const module = new WebAssembly.Module(bytes as BufferSource);
  const { exports } = new WebAssembly.Instance(module, { env });
  return exports as unknown as HandlerInstance;
}
