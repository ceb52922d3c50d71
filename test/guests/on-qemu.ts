import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Said } from './sessions.ts';

const QEMU = 'qemu-system-x86_64';

/** Hold a session with a machine of QEMU's (TCG) on its standard input and output. Returns all it printed. */
export async function onQemu(options: readonly string[], session: readonly Said[], minutes = 15): Promise<string> {
  const qemu = spawn(QEMU, ['-accel', 'tcg', '-display', 'none', ...options], { stdio: ['pipe', 'pipe', 'inherit'] });
  const timer = setTimeout(() => qemu.kill(), minutes * 60_000);
  let out = '';
  let from = 0;
  let next = 0;
  qemu.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    for (let said = session[next]; said !== undefined; said = session[next]) {
      const at = out.indexOf(said.after, from);
      if (at < 0) return;
      from = at + said.after.length;
      next += 1;
      qemu.stdin.write(`${said.text}\n`);
    }
  });
  await once(qemu, 'close');
  clearTimeout(timer);
  return out;
}

/** What a machine of QEMU's (TCG) prints, which is ended once it has printed a line with this. */
export async function endedAt(last: RegExp, options: readonly string[], minutes = 15): Promise<string> {
  const qemu = spawn(QEMU, ['-accel', 'tcg', '-display', 'none', ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  const timer = setTimeout(() => qemu.kill(), minutes * 60_000);
  let out = '';
  qemu.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (last.test(out.slice(0, out.lastIndexOf('\n')))) qemu.kill();
  });
  await once(qemu, 'close');
  clearTimeout(timer);
  return out;
}
