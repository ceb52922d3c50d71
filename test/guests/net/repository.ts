/** A repository of packages for apt, as a folder to be served: flat, and signed by a key that is made for it. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** What `Packages` says of a package. */
function indexed(folder: string, name: string): string {
  const path = join(folder, name);
  const control = execFileSync('dpkg-deb', ['-f', path], { encoding: 'utf8' }).trim();
  return `${control}\nFilename: ./${name}\nSize: ${statSync(path).size}\nSHA256: ${sha256(path)}\n`;
}

/**
 * Write one of these packages. `date`: when it was made, as `Release` and gpg have it: before the guest's clock begins.
 * Beside its files there is the public key, `key.asc`.
 */
export function writeRepository(folder: string, packages: readonly string[], date: Date): void {
  mkdirSync(folder, { recursive: true });
  for (const path of packages) copyFileSync(path, join(folder, basename(path)));
  const rows = packages.map((path) => indexed(folder, basename(path)));
  writeFileSync(join(folder, 'Packages'), rows.join('\n'));
  const { size } = statSync(join(folder, 'Packages'));
  const fields = { Origin: 'Test', Label: 'Test', Suite: 'stable', Codename: 'test', Date: date.toUTCString() };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`);
  const sum = sha256(join(folder, 'Packages'));
  writeFileSync(join(folder, 'Release'), `${lines.join('')}SHA256:\n ${sum} ${size} Packages\n`);
  sign(folder, date);
}

function sign(folder: string, date: Date): void {
  const home = mkdtempSync(join(tmpdir(), 'retrovisor-gpg-'));
  const time = `${Math.floor(date.getTime() / 1000)}!`;
  const own = ['--homedir', home, '--batch', '--quiet', '--faked-system-time', time];
  const gpg = (...args: readonly string[]): void =>
    void execFileSync('gpg', [...own, ...args], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  gpg('--passphrase', '', '--quick-gen-key', 'test@example.org', 'ed25519', 'sign', 'never');
  gpg('--output', 'InRelease', '--clearsign', 'Release');
  gpg('--output', 'key.asc', '--armor', '--export', 'test@example.org');
  execFileSync('gpgconf', ['--homedir', home, '--kill', 'gpg-agent']);
  rmSync(home, { recursive: true });
}
