export { createEngine, type EngineOptions, type EngineRegion, type GuestEngine } from './engine.ts';
export type { DebuggerStops, StopHit, Watchpoint } from './debugger-stops.ts';
export type { HandlerInstance, Instantiate } from './processor.ts';
