import { type CommaValue, commaValue, refuseOthers } from './qemu-values.ts';
import type { CharacterBackend } from '../runs/machine/run-options.ts';
import { socketBackend, socketChardev } from './socket-backends.ts';
import { UsageProblem } from './usage.ts';

/** The `-chardev` list by id. */
export type Chardevs = ReadonlyMap<string, CharacterBackend>;

/** Read `-chardev BACKEND,id=ID[,...]` options. QEMU manual, "Character device options". */
export function chardevs(values: readonly string[]): Chardevs {
  const byId = new Map<string, CharacterBackend>();
  for (const text of values) {
    const value = commaValue(text);
    const id = value.properties.get('id');
    if (id === undefined || id === '') throw new UsageProblem(`-chardev ${text}: give it a name with id=NAME.`);
    if (byId.has(id)) throw new UsageProblem(`-chardev ${text}: there already is one with id=${id}.`);
    byId.set(id, backendNamed(value, text, id));
  }
  return byId;
}

function backendNamed(value: CommaValue, text: string, id: string): CharacterBackend {
  if (value.name === 'socket') return socketChardev(text, value);
  if (value.name === 'pty') return ptyChardev(value, id);
  refuseOthers('-chardev', value, ['id', 'path', 'mux', 'signal']);
  switch (value.name) {
    case 'null':
      return { to: 'none' };
    case 'stdio':
      return { to: 'stdio', monitor: value.properties.get('mux') === 'on' };
    case 'file': {
      const path = value.properties.get('path');
      if (path === undefined || path === '') throw new UsageProblem(`-chardev ${text}: give the file with path=FILE.`);
      return { to: 'file', path };
    }
    default:
      throw new UsageProblem(
        `-chardev ${text}: backend '${value.name}' is not supported. Use stdio, file, socket, pty or null.`,
      );
  }
}

function ptyChardev(value: CommaValue, id: string): CharacterBackend {
  refuseOthers('-chardev pty', value, ['id']);
  return { to: 'pty', label: id };
}

/** What `-serial VALUE` or `-debugcon VALUE` names; `label` is what QEMU calls a backend that has no id. */
export function characterBackend(
  { option, label }: { readonly option: string; readonly label: string },
  text: string,
  byId: Chardevs,
): CharacterBackend {
  if (text === 'none' || text === 'null') return { to: 'none' };
  if (text === 'stdio') return { to: 'stdio', monitor: false };
  if (text === 'pty') return { to: 'pty', label };
  if (text === 'mon:stdio') return { to: 'stdio', monitor: true };
  if (text.startsWith('file:') && text.length > 5) return { to: 'file', path: text.slice(5) };
  if (text.startsWith('chardev:')) return chardevById(option, text.slice(8), byId);
  const socket = socketBackend(option, text);
  if (socket !== undefined) return socket;
  const known = 'none, stdio, mon:stdio, file:PATH, pty, unix:PATH, tcp:HOST:PORT, telnet:HOST:PORT or chardev:ID';
  throw new UsageProblem(`${option} ${text}: not supported. Use ${known}.`);
}

/** The backend a device names with `chardev=ID`. */
export function chardevById(option: string, id: string, byId: Chardevs): CharacterBackend {
  const backend = byId.get(id);
  if (backend !== undefined) return backend;
  throw new UsageProblem(`${option}: there is no -chardev with id=${id}.`);
}
