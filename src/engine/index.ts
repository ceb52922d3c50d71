export { type CacheFills, createEngine, type EngineOptions, type EngineRegion, type GuestEngine } from './engine.ts';
export type {
  AnyHit,
  Breakpoint,
  DebuggerStops,
  OnWrite,
  StopHit,
  WantedStops,
  Watchpoint,
  WatchedMsr,
  WatchedValue,
} from './core/debugger-stops.ts';
export type { Writer } from './mmu/access.ts';
export type { TierOptions } from './translate/tier.ts';
export type { HandlerInstance, Instantiate } from './meanings/handlers.ts';
