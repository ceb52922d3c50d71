import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GdbRemote } from './gdb-remote.ts';

/** A QEMU (TCG) that stands still at its reset vector, and its gdb stub. */
export interface StoppedQemu {
  readonly gdb: GdbRemote;
  /** For files QEMU is to write (`pmemsave`). */
  readonly folder: string;
  close(): void;
}

/** Why QEMU cannot be used here; undefined when it can. */
export function qemuMissing(): string | undefined {
  const version = spawnSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' });
  return version.status === 0 ? undefined : 'needs qemu-system-x86_64 (Debian: apt-get install qemu-system-x86)';
}

/** Start QEMU stopped (-S), with its gdb stub on a pair of FIFOs. */
export function startStopped(options: readonly string[]): StoppedQemu {
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-qemu-'));
  const pipe = join(folder, 'gdb');
  execFileSync('mkfifo', [`${pipe}.in`, `${pipe}.out`]);
  const fixed = ['-accel', 'tcg', '-S', '-gdb', `pipe:${pipe}`, '-nodefaults', '-display', 'none', '-no-reboot'];
  const child: ChildProcess = spawn('qemu-system-x86_64', [...fixed, ...options], { stdio: 'ignore' });
  const gdb = new GdbRemote(pipe);
  return {
    gdb,
    folder,
    close() {
      gdb.close();
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
