/**
 * What WebAssembly makes, as the engine's declarations name it: WebAssembly's own names are declared by a host's
 * library, which a reader of the declarations need not have.
 */

/** A WebAssembly.Module. */
export type CompiledModule = object;

/** A WebAssembly.Memory that never grows. */
export interface LinearMemory {
  readonly buffer: ArrayBuffer;
}
