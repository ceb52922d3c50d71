import { fileName } from '../../base/file-name.ts';
import { Problem } from '../../base/problem.ts';
import type { ImageRole } from '../world.ts';

/** One module of a multiboot kernel as the command line names it. */
export interface NamedModule {
  readonly role: ImageRole;
  readonly path: string;
  /** Its own command line, which begins with its name. */
  readonly name: string;
}

/**
 * Take `-initrd` of a multiboot kernel apart: files with commas between them, each with arguments after a space. Two
 * commas stand for one that belongs to a name or an argument. QEMU's load_multiboot.
 */
export function modulesOf(text: string): NamedModule[] {
  // A comma at the end has nothing behind it.
  const parts = text
    .replaceAll(',,', COMMA)
    .replace(/(?<=.),$/s, '')
    .split(',');
  return parts.map((part, index) => {
    const [, path = '', rest = ''] = /^([^ ]*)(.*)$/s.exec(part.replaceAll(COMMA, ',')) ?? [];
    if (path === '') {
      throw new Problem(`-initrd: module ${index + 1} of ${parts.length} has no name; write ,, for a comma in one.`);
    }
    return { role: index === 0 ? 'initrd' : `module${index + 1}`, path, name: `${fileName(path)}${rest}` };
  });
}

/** Whether an image is a module behind the first. */
export const isModule = (role: string): role is `module${number}` => /^module[1-9]\d*$/.test(role);

/** What no path holds. */
const COMMA = '\0';
