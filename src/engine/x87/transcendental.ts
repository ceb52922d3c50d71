import type { X87Unit } from './unit.ts';

/** D9 F0 to FF. */
export function transcendental(unit: X87Unit, modrm: number): void {
  void unit;
  void modrm;
}
