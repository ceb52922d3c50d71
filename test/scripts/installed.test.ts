import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { entriesOf } from '../../scripts/guests/installed.ts';
import { LONG } from '../how-long.ts';

test("an archive's list gives each file's owners and time, links by their own names", () => {
  const listing = [
    'drwxr-xr-x 0/0               0 2023-06-10 00:00:00 ./',
    '-rwsr-xr-x 0/42           1234 2023-06-09 12:00:01 ./usr/bin/a name',
    'lrwxrwxrwx 0/0               0 2023-06-10 00:00:00 ./sbin -> usr/sbin',
    'hrw-r--r-- 0/0               0 2023-06-10 00:00:00 ./usr/b link to ./usr/a',
    'crw-rw-rw- 0/0             1,3 2023-06-10 00:00:00 ./null',
    'drwxrws--- 999/5             0 2023-06-10 00:00:00 ./var/log/',
  ];
  const entries = entriesOf(`${listing.join('\n')}\n`);
  expect(entries.map(({ path, uid, gid }) => `${path} ${uid}:${gid}`)).toEqual([
    ...['/ 0:0', '/usr/bin/a name 0:42', '/sbin 0:0', '/usr/b 0:0', '/null 0:0', '/var/log 999:5'],
  ]);
  expect(entries.slice(0, 2).map(({ time }) => time)).toEqual([1_686_355_200, 1_686_312_001]);
  expect(() => entriesOf('tar: something else\n')).toThrow('no file: tar: something else');
});

test('a guest that there is not is refused, and nothing is made', LONG, () => {
  const ran = spawnSync('npx', ['tsx', 'scripts/fetch-guests.ts', 'floppy'], { encoding: 'utf8' });
  expect(ran.stderr).toContain('There is no guest `floppy`: `npm run guests`, or with `-- disk` or `-- net`.');
  expect(ran.status).toBe(1);
});
