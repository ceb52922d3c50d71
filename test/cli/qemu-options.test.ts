import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { record, replay, rerun } from '../../src/api/index.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { UsageProblem } from '../../src/options/usage.ts';
import { answer, scratchFolder } from '../guests/command-line.ts';
import { LONG } from '../how-long.ts';
import { PLAIN_LANGUAGE, tool, without } from '../stepping-aside.ts';

const refusal = (...argv: readonly string[]): string => {
  try {
    runOptions(argv);
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  return '';
};

describe('options of QEMU', () => {
  const qemu = 'qemu-system-x86_64';

  test('are each understood, or named with what is used instead', without(tool(qemu)), () => {
    const { stdout } = spawnSync(qemu, ['--help'], { encoding: 'utf8', env: PLAIN_LANGUAGE });
    const lines = stdout.split('\n').filter((line) => /^--?[a-z]/i.test(line));
    const named = lines.flatMap((line) => line.replace(/\s{2,}.*/, '').match(/(?<=^|\s|\/)--?[a-z][\w-]*/gi) ?? []);
    const options = new Set(named);
    expect(options.size).toBeGreaterThan(110);
    const answered = ['-h', '-help', '-version'];
    const bare = [...options].filter((option) => !answered.includes(option) && /unknown option/i.test(refusal(option)));
    expect(bare).toEqual([]);
    expect(refusal('-no-such-thing')).toContain('Unknown option -no-such-thing.');
  });

  test.each([
    ['-d', 'events TRACE --event kvm_inj_virq'],
    ['-trace', '--trace FILE'],
    ['-icount', '--ns-per-tick'],
    ['-loadvm', 'retrovisor debug TRACE'],
    ['-hda', '-drive file=PATH,if=virtio'],
    ['--hda', '-drive file=PATH,if=virtio'],
    ['-pflash', '-bios FILE'],
    ['-seed', '--seed TEXT'],
  ])('%s says what is used here', (option, instead) => {
    expect(refusal(option, 'x')).toContain(`${option} is not supported: `);
    expect(refusal(option, 'x')).toContain(instead);
  });

  test.each([
    ['-monitor', 'stdio', 'Ctrl-A c'],
    ['-parallel', 'file:x', 'no parallel port'],
    ['-vga', 'std', 'no display'],
  ])('%s %s says what is used here', (option, value, instead) => {
    expect(refusal(option, value)).toContain(instead);
  });

  test('-version and --version print the version', async () => {
    for (const argv of [['run', '-version'], ['run', '--version'], ['--version']]) {
      const { status, out } = await answer(argv);
      expect([status, out]).toEqual([0, expect.stringMatching(/^Retrovisor \d+\.\d+\.\d+\n$/)]);
    }
  });
});

describe('options that QEMU has and we map', () => {
  test('-rtc base= is the time at power-on, once', () => {
    expect(runOptions(['-rtc', 'base=2006-06-17T16:01:21']).wallClock).toBe(1_150_560_081_000_000_000n);
    expect(runOptions(['-rtc', 'base=2006-06-17,clock=vm']).wallClock).toBe(1_150_502_400_000_000_000n);
    expect(runOptions(['-rtc', 'base=utc']).localTime).toBe(false);
    expect(runOptions(['-rtc', 'base=localtime']).localTime).toBe(true);
    expect(refusal('-rtc', 'base=2006-06-17', '--wall-clock', '1')).toContain('both are the time of day');
    expect(refusal('-rtc', 'base=yesterday')).toContain('a date like 2006-06-17T16:01:21');
    expect(refusal('-rtc', 'clock=atomic')).toContain('time is virtual');
  });

  test('-action says the same as -no-reboot and -no-shutdown', () => {
    const asked = (...argv: readonly string[]) => {
      const { reboot, keepsOff } = runOptions(argv);
      return { reboot, keepsOff };
    };
    expect(asked()).toEqual({ reboot: true, keepsOff: false });
    expect(asked('-action', 'reboot=shutdown')).toEqual(asked('-no-reboot'));
    expect(asked('-action', 'shutdown=pause')).toEqual(asked('-no-shutdown'));
    expect(asked('-action', 'reboot=shutdown,shutdown=pause')).toEqual({ reboot: false, keepsOff: true });
    expect(runOptions(['-action', 'panic=none']).warnings).toEqual([expect.stringContaining('no panic device')]);
    expect(refusal('-action', 'reboot=never')).toContain('reboot can be reset or shutdown');
  });

  test.each([
    ['-boot', 'order=xyz', 'letters a, b, c, d and n'],
    ['-boot', 'once=d', 'once= and splash= are not supported'],
    ['-smbios', 'type=0,vendor=me', 'type 0 is what firmware says'],
    ['-smbios', 'type=1,colour=blue', "unknown property 'colour'"],
    ['-smbios', 'file=table.bin', 'not supported'],
    ['-smbios', `type=1,serial=${'x'.repeat(4097)}`, 'more than 4096 characters'],
    ['-uuid', '1234', 'a UUID is like'],
    ['-fw_cfg', 'name=opt/x', 'string=TEXT or file=PATH, one of them'],
    ['-fw_cfg', 'name=etc/e820,string=x', "the machine's own"],
    ['-fw_cfg', `name=opt/${'x'.repeat(60)},string=x`, '1 to 55 printable characters'],
  ])('%s %s is refused with a sentence', (option, value, sentence) => {
    expect(refusal(option, value)).toContain(sentence);
    expect(() => runOptions([option, value])).toThrow(UsageProblem);
  });

  test("a name of fw_cfg that is nobody's own is warned of, as QEMU does", () => {
    expect(runOptions(['-fw_cfg', 'name=mine,string=x']).warnings).toEqual([expect.stringContaining('opt/')]);
    expect(runOptions(['-fw_cfg', 'opt/mine,string=a,,b']).fwCfg).toEqual([{ name: 'opt/mine', text: 'a,b' }]);
  });
});

test('what they say is recorded: replayed and rerun when the file is gone', LONG, async () => {
  const folder = scratchFolder();
  const [trace, file] = [join(folder, 'told.trace'), join(folder, 'key.bin')];
  writeFileSync(file, 'a key');
  const told = ['-smbios', 'type=1,serial=S1', '-uuid', '01234567-89ab-cdef-0123-456789abcdef', '-boot', 'order=dc'];
  const files = ['-fw_cfg', `name=opt/key,file=${file}`, '-fw_cfg', 'name=opt/text,string=x'];
  await record([...told, ...files, '-rtc', 'base=localtime', '--wall-clock', '1700000000', '--trace', trace]);
  rmSync(file);
  expect((await replay(trace)).divergence).toBeUndefined();
  expect((await rerun(trace)).divergence).toBeUndefined();
});
