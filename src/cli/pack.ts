import { existsSync } from 'node:fs';
import { onOneLine } from '../base/printable.ts';
import { Problem } from '../base/problem.ts';
import { openTraceFile, TRACE_FILES } from '../host/trace-file.ts';
import { sourceFile } from '../host/trace-source.ts';
import { membersFor, writePack } from '../host/pack/make-pack.ts';
import type { Member } from '../host/pack/manifest.ts';
import { isPack, openPack, type OpenedPack } from '../host/pack/opened-pack.ts';
import { unpackInto } from '../host/pack/unpack.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import { lazyEvents } from '../replay/trace/lazy-events.ts';
import { TraceDamage } from '../replay/trace/damage.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { statusOfDamage } from './cut.ts';
import type { Print } from './trace-commands.ts';

/** How `retrovisor pack` is asked to work. */
export interface PackOptions extends ImagePaths {
  readonly output?: string;
  readonly force?: boolean;
  /** Say what it holds, and write nothing. */
  readonly describe?: boolean;
}

const MB = 1e6;
const inMB = (bytes: number): string => `${(bytes / MB).toFixed(2)} MB`;

const HOLDS: Readonly<Record<Member['holds'], string>> = {
  trace: 'the recording',
  checkpoints: "checkpoints: all of the guest's memory, at some moments",
  image: 'an image the run was made from',
  disk: 'what the run read of a disk',
  fork: 'a fork: what would have happened',
};

/** `retrovisor pack`: a trace and all it needs in one file. Returns the process status. */
export function pack(path: string, options: PackOptions, print: Print): number {
  if (options.describe === true) return describe(path, options, print);
  const { output = `${path}.pack` } = options;
  if (existsSync(output) && options.force !== true)
    throw new Problem(`${output} is there already: --force replaces it.`);
  withPack(path, () => {
    throw new Problem(`${path} is a pack already: \`retrovisor unpack\` takes it apart.`);
  });
  const status = statusOfTrace(path);
  const members = membersFor(path, options);
  const file = TRACE_FILES.createWhole(output, 'pack');
  try {
    writePack(members, file);
    file.close();
  } catch (error) {
    file.drop();
    throw error;
  }
  const size = members.reduce((sum, each) => sum + each.size, 0);
  print(onOneLine(`${output}: ${members.length} files, ${inMB(size)}. Every command takes it as it takes ${path}.`));
  print(onOneLine(`Before you share it: \`retrovisor pack ${output} --describe\` says what it holds.`));
  return status;
}

/** `retrovisor unpack`: what a pack holds, as files. Returns the process status. */
export function unpack(path: string, folder: string, force: boolean, print: Print): number {
  const done = withPack(path, (opened) => {
    const files = [...unpackInto(opened, folder, force)].map(([member, name]) => ({ member, name, packed: 0 }));
    for (const { name, bytes, holds } of inOneLine(files)) print(`${onOneLine(name)}  ${bytes} bytes, ${HOLDS[holds]}`);
  });
  if (!done) throw new Problem(`${path} is no pack: \`retrovisor pack\` makes one of a trace.`);
  return 0;
}

/** A member, and the name of the file it is or is in. */
interface PackedFile {
  readonly member: Member;
  readonly name: string;
  readonly packed: number;
}

/** Of a disk, which is in many pieces, what they come to. */
function inOneLine(files: readonly PackedFile[]) {
  const lines = new Map<string, { name: string; bytes: number; packed: number; holds: Member['holds'] }>();
  for (const { member, name, packed } of files) {
    const { holds, disk, bytes } = member;
    const key = disk === undefined ? member.member : `disk ${disk.image}`;
    const before = lines.get(key) ?? { name, bytes: 0, packed: 0, holds };
    lines.set(key, { ...before, bytes: before.bytes + bytes, packed: before.packed + packed });
  }
  return lines.values();
}

/** Say what is wrong with a trace that is handed on as it is: all of it is looked at. The status. */
function statusOfTrace(path: string): number {
  const trace = openTraceFile(path, { acceptCut: true });
  try {
    return statusOfDamage({ damage: lazyEvents(trace).damage, cut: trace.cut });
  } finally {
    trace.close();
  }
}

/** Do something with a pack; false when it is none. */
function withPack(path: string, act: (opened: OpenedPack) => void): boolean {
  const file = sourceFile(path);
  try {
    if (!isPack(file)) return false;
    act(openPack(file));
    return true;
  } finally {
    file.close();
  }
}

/** What somebody gives away with a pack, before it is made or after. */
function describe(path: string, options: ImagePaths, print: Print): number {
  const status = statusOfTrace(path);
  const files: PackedFile[] = [];
  const add = (member: Member, packed: number): void => void files.push({ member, name: member.name, packed });
  const isPacked = withPack(path, (opened) => {
    for (const member of opened.manifest.members) add(member, opened.packedBytes(member));
  });
  if (!isPacked) for (const { member, size } of membersFor(path, options)) add(member, size);
  for (const { name, bytes, packed, holds } of inOneLine(files)) {
    print(`${onOneLine(name)}  ${bytes} bytes (${packed} packed), ${HOLDS[holds]}`);
  }
  for (const sentence of givenAway(path)) print(sentence);
  return status;
}

/** What a recording tells of the guest and of whoever ran it. */
function givenAway(path: string): string[] {
  const trace = openTraceFile(path, { acceptCut: true });
  let printed = 0;
  let typed = 0;
  try {
    const kinds = new Set(['sim:serial_sent', 'sim:chardev_sent', 'sim:serial_received', 'sim:chardev_received']);
    for (const { event } of inOrder(trace, 0, (kind) => kinds.has(kind))) {
      if (event.kind === 'sim:serial_sent') printed += 1;
      else if (event.kind === 'sim:chardev_sent') printed += event.bytes.length;
      else if (event.kind === 'sim:serial_received') typed += event.bytes.length;
    }
  } catch (damage) {
    if (!(damage instanceof TraceDamage)) throw damage;
  } finally {
    trace.close();
  }
  const payloads = trace.payloads.list().reduce((sum, { length }) => sum + length, 0);
  return [
    `Whoever has it has all that the guest printed (${printed} bytes) and was typed at it (${typed} bytes, passwords`,
    `too), ${payloads} bytes that came from outside, the images whole, and the paths they had where it was recorded.`,
    "Replayed, it gives all of the guest's memory and registers at any moment.",
  ];
}
