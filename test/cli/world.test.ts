import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { printWorld, type WorldForm } from '../../src/cli/world-command.ts';
import { answer, printed } from '../guests/command-line.ts';
import { textOf } from '../house/sources.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-world-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'world.json');

/** Of docs/world.md. */
const PAGE = textOf('docs/world.md');
const SERVICE = /```json\n(\{\n {2}"kind": "ssh"[\s\S]*?)```/.exec(PAGE)?.[1] ?? '';
const HOST = `"name": "peer.test", "addresses": ["10.0.2.101"]`;

const write = (services: string): void =>
  writeFileSync(file, `{ "hosts": [{ ${HOST}, "services": [\n${services}] }] }`);

const said = (form: WorldForm = {}): Promise<string> => printed((print) => printWorld(file, form, print));

test('says whom a world has, and by which key', async () => {
  write(`${SERVICE}, { "kind": "ntp", "port": 123 }, { "kind": "echo", "port": 7, "protocol": "udp" }`);
  const lines = (await said()).trimEnd().split('\n');
  expect(lines.slice(2)).toEqual(['  123/udp ntp', '  7/udp echo']);
  expect(PAGE).toContain(`$ npx retrovisor world world.json\n${lines.slice(0, 2).join('\n')}\n`);
  const known = await said({ knownHosts: true });
  expect(PAGE).toContain(`$ npx retrovisor world world.json --known-hosts\n${known}\`\`\``);
  write(SERVICE.replace('"port": 22', '"port": 2222'));
  expect(await said({ knownHosts: true })).toMatch(/^\[peer\.test\]:2222,\[10\.0\.2\.101\]:2222 ssh-/);
});

test.each([
  ['"uname -n"', '"uname -n", "what": 1', /line 10: .*"what"/],
  ['ssh-ed25519 AAAA', 'ssh-ed25519 BBBB', /line 5: .* is no public key like `ssh-ed25519 AAAAC3\.\.\.`\.\n/],
  ['"status": 3', '"status": 300', /line 11: .*commands\.1\.status/],
  ['"port": 22,', '"port": 22, "hostKey": "12",', /line 3: .*hostKey: is no key: 64 digits of 0-9 and a-f/],
  ['"does": "echo"', '"does": "eat"', /line 12: .*commands\.2\.does/],
])('names the line of a mistake: %s', async (right, wrong, complaint) => {
  write(SERVICE.replace(right, wrong));
  const { status, out, err } = await answer(['world', file]);
  expect([status, out]).toEqual([1, '']);
  expect(err).toMatch(complaint);
});
