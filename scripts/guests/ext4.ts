import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Entry } from './installed.ts';

/** A program of an unpacked Debian, on its own libraries: what this machine has installed makes no difference. */
export class Programs {
  readonly #tree: string;
  readonly #time: number;

  constructor(tree: string, time: number) {
    this.#tree = tree;
    this.#time = time;
  }

  path(name: string): string {
    return join(this.#tree, name);
  }

  /** What it says on standard error; it may read `input`. */
  run(program: string, args: readonly string[], input = ''): string {
    const libraries = this.path('usr/lib/x86_64-linux-gnu');
    const loader = join(libraries, 'ld-linux-x86-64.so.2');
    const ran = spawnSync(loader, ['--library-path', libraries, this.path(program), ...args], {
      encoding: 'utf8',
      input,
      maxBuffer: 1 << 28,
      env: { LC_ALL: 'C', MKE2FS_CONFIG: this.path('etc/mke2fs.conf'), E2FSPROGS_FAKE_TIME: `${this.#time}` },
    });
    if (ran.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${ran.error?.message ?? ran.stderr.trim()}`);
    return ran.stderr;
  }
}

/** A file system in an image: where, how large, and who it is. */
export interface FileSystem {
  readonly image: string;
  /** In bytes. */
  readonly offset: number;
  readonly size: number;
  readonly uuid: string;
  readonly label: string;
}

/**
 * An ext4 of what a folder holds. mke2fs takes names in order of the alphabet, but owners, and when an inode was
 * changed, from the machine it runs on: those are set afterwards, to what `entries` say.
 */
export function makeExt4(programs: Programs, system: FileSystem, folder: string, entries: readonly Entry[]): void {
  const { image, offset, size, uuid, label } = system;
  const extended = [`offset=${offset}`, `hash_seed=${uuid}`, 'lazy_itable_init=0', 'root_owner=0:0', 'nodiscard'];
  programs.run('usr/sbin/mke2fs', [
    ...['-q', '-F', '-t', 'ext4', '-b', '4096', '-m', '1', '-e', 'remount-ro', '-U', uuid, '-L', label],
    ...['-E', extended.join(','), '-d', folder, image, `${size / 1024}k`],
  ]);
  const said = programs.run('usr/sbin/debugfs', ['-w', '-f', '-', `${image}?offset=${offset}`], commands(entries));
  // Its first line is its version.
  const complaints = said.trim().split('\n').slice(1);
  if (complaints.length > 0) throw new Error(`debugfs: ${complaints.slice(0, 3).join('; ')}`);
}

function commands(entries: readonly Entry[]): string {
  const lines = entries.flatMap(({ path, uid, gid, time }) => {
    const fields = { uid, gid, atime: `@${time}`, ctime: `@${time}`, mtime: `@${time}`, crtime: `@${time}` };
    return Object.entries(fields).map(([field, value]) => `sif "${path}" ${field} ${value}\n`);
  });
  return lines.join('');
}
