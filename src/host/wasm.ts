import type { HandlerInstance, Instantiate } from '../engine/index.ts';

/** Compile and instantiate the engine's handlers: the one place that hands bytes to WebAssembly. */
export const instantiate: Instantiate = (bytes, env) => {
  const module = new WebAssembly.Module(bytes as BufferSource);
  return new WebAssembly.Instance(module, { env }).exports as unknown as HandlerInstance;
};
