import { INSTEAD } from './qemu-others.ts';
import { commaValue, refuseOthers } from './qemu-values.ts';
import { UsageProblem } from './usage.ts';

/** QEMU's options that are understood so that its command lines work; what the machine is not is refused. */
export interface AcceptedOptions {
  readonly display?: string;
  readonly machine?: string;
  readonly accel?: string;
  readonly vga?: string;
  readonly monitor?: string;
  readonly parallel?: string;
  readonly hpet?: boolean;
}

/** Values of -machine's properties that say what already is so. */
const MACHINE_PROPERTIES: Readonly<Record<string, readonly string[]>> = {
  type: ['pc'],
  accel: ['kvm'],
  kernel_irqchip: ['on'],
  hpet: ['on'],
  pit: ['on'],
  smm: ['off'],
  usb: ['off'],
  vmport: ['off'],
  graphics: ['off'],
};

/** What has no effect, for a person to read. Throws a UsageProblem where an option asks for what there is not. */
export function acceptedWarnings(raw: AcceptedOptions): string[] {
  if (raw.machine !== undefined) checkMachine(raw.machine);
  if (raw.accel !== undefined && !/^(accel=)?kvm$/.test(raw.accel)) {
    throw new UsageProblem(`-accel ${raw.accel}: the only accelerator is kvm, which is simulated.`);
  }
  refuseAll('-vga', raw.vga === undefined ? [] : [raw.vga]);
  refuseAll('-monitor', raw.monitor === undefined ? [] : [raw.monitor]);
  refuseAll('-parallel', raw.parallel === undefined ? [] : [raw.parallel]);
  const warnings: string[] = [];
  if (raw.display !== undefined && raw.display !== 'none') {
    warnings.push('There is no display: -display has no effect.');
  }
  if (raw.hpet === false) warnings.push('The machine has an HPET: -no-hpet has no effect.');
  return warnings;
}

function checkMachine(text: string): void {
  const value = commaValue(text);
  const name = value.name ?? value.properties.get('type') ?? 'pc';
  if (!/^pc(-i440fx-[\d.]+)?$/.test(name)) throw new UsageProblem(`-machine ${text}: the only machine is pc.`);
  refuseOthers('-machine', value, Object.keys(MACHINE_PROPERTIES));
  for (const [key, set] of value.properties) {
    const is = MACHINE_PROPERTIES[key] ?? [];
    if (key !== 'type' && !is.includes(set)) {
      throw new UsageProblem(`-machine ${text}: ${key} can only be ${is.join(' or ')}.`);
    }
  }
}

function refuseAll(option: string, values: readonly string[] = []): void {
  const wrong = values.find((value) => value !== 'none');
  if (wrong === undefined) return;
  throw new UsageProblem(`${option} ${wrong} is not supported: ${INSTEAD[option]}. Give none, or leave it out.`);
}
