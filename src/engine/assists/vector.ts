export function runSlow(p: unknown): void { void p; }
