import { Problem, shortly } from '../../base/problem.ts';
import type { MachineConfig } from '../config.ts';
import type { DeviceOption } from '../options.ts';
import { optionDriver } from './option-parts.ts';

/** The drives a device of the command line is for, each as its property has it. */
function drivesAsked({ driver, properties: given }: DeviceOption): { readonly key: string; readonly id: string }[] {
  const { properties = {} } = optionDriver(driver)[1];
  return Object.entries(properties).flatMap(([key, property]) =>
    property.type === 'str' && property.names === 'drive' ? [{ key, id: String(given[key] ?? '') }] : [],
  );
}

/** Throws a Problem for a device without its drive, or whose drive is not there or another's. */
export function checkDrives({ devices, drives = [] }: Pick<MachineConfig, 'devices' | 'drives'>): void {
  const users = new Map<string, string>();
  for (const option of devices) {
    for (const { key, id } of drivesAsked(option)) {
      const said = `-device ${option.driver}`;
      if (id === '') throw new Problem(`${said}: say which drive it is for: ${key}=ID, with -drive if=none,id=ID.`);
      if (!drives.some((drive) => drive.id === id)) throw new Problem(`${said}: ${noDrive(key, id, drives)}`);
      const user = users.get(id);
      if (user !== undefined) throw new Problem(`${said}: the drive ${shortly(id)} is in use already, by ${user}.`);
      users.set(id, option.driver);
    }
  }
}

function noDrive(key: string, id: string, drives: readonly { readonly id: string }[]): string {
  const known = drives.map((drive) => drive.id).join(', ');
  return `${key}=${shortly(id)} is no drive. ${known === '' ? 'There is none: add -drive.' : `There are ${known}.`}`;
}
