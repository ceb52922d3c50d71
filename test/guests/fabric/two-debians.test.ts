import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import { LONG } from '../../how-long.ts';
import { type Aside, tool, without } from '../../stepping-aside.ts';
import { guestFile, haveGuests, printed, retrovisor, scratchFolder } from '../command-line.ts';
import { answer } from '../sessions.ts';
import { ASKED, BIG, PACKAGES, writeDebians } from './debians.ts';

const folder = scratchFolder();

/** Half an hour of two Debians takes some five minutes of a processor, and as much again to verify. */
function notAsked(): Aside | undefined {
  if (process.env['RETROVISOR_DEBIANS'] === '1') return undefined;
  return { what: 'two Debians', why: 'RETROVISOR_DEBIANS=1 asks for them.', kind: 'host' };
}

function noPackages(): Aside | undefined {
  const there = existsSync(guestFile('packages')) ? readdirSync(guestFile('packages')) : [];
  const isThere = PACKAGES.every((name) => there.some((file) => file.startsWith(`${name}_`)));
  if (haveGuests('bios-256k.bin', 'debian.raw') && isThere) return undefined;
  return { what: 'an installed Debian', why: 'It is not here: `npm run guests -- disk` makes it.', kind: 'tool' };
}

const MINUTES = 150;
const IN_TIME = { timeout: MINUTES * 60_000 };

describe('two installed Debians on a bridge', { ...LONG, ...IN_TIME, ...without(notAsked() ?? noPackages()) }, () => {
  test('half an hour of HTTP, ssh, iperf3 and pings, verified and each alone', without(tool('ssh')), async () => {
    const trace = join(folder, 'debians.trace');
    const ran = retrovisor(
      [...['run', '--machine', writeDebians(folder, guestFile), '--trace', trace], ...['--wall-clock', '1700000000']],
      '',
      MINUTES / 2,
    );
    process.stdout.write(`${ran.err}\n`);
    expect(ran.status).toBe(0);
    const client = ran.out
      .split('\n')
      .flatMap((line) => /^client \| (.*)$/.exec(line.replaceAll('\r', ''))?.[1] ?? [])
      .join('\n');
    const said = (command: string): string => answer(client, command).join('\n');
    const sum = createHash('sha256').update(BIG).digest('hex');
    expect(said(ASKED.FILE)).toBe(`${sum}  -`);
    expect(said(ASKED.RUNS)).toMatch(/server$/);
    expect(said(ASKED.PIPED)).toBe(`${sum}  -`);
    for (const way of [ASKED.SENDS, ASKED.RECEIVES]) expect(said(way)).toMatch(/(?:29|3[0-2])\.\d MBytes .* receiver/);
    expect(said(ASKED.WAITS)).toMatch(/^[1-9]\d answers$/);
    expect(retrovisor(['verify', trace], '', MINUTES / 2)).toMatchObject({ status: 0 });
    for (const name of ['server', 'client', 'br0']) {
      expect(await printed((print) => rerun(`${trace}:${name}`, {}, print))).toContain(' 0 divergences');
      expect(await printed((print) => fold(`${trace}:${name}`, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
    }
  });
});
