import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { runOptions } from '../../src/options/run-arguments.ts';
import { answer } from '../guests/command-line.ts';
import { without } from '../stepping-aside.ts';

const QEMU = 'qemu-system-x86_64';

/** What QEMU says to `-device VALUE`. */
function qemu(value: string): string {
  const said = spawnSync(QEMU, ['-M', 'none', '-display', 'none', '-device', value], { encoding: 'utf8' });
  return said.stdout;
}

const noQemu = spawnSync(QEMU, ['--version'], { encoding: 'utf8' }).stdout?.includes('version 7.2')
  ? undefined
  : ({ what: 'QEMU 7.2', why: `There is no ${QEMU} 7.2 here.`, kind: 'tool' } as const);

/** Of a help, each line's name, type and default: what a person gives, not how it is explained. */
const signatures = (help: string): string[] =>
  help.split('\n').flatMap((line) => {
    const [, name, type] = /^ {2}(\w+)=<(\w+)>/.exec(line) ?? [];
    return name === undefined ? [] : [`${name} ${type} ${/\(default: (.*)\)$/.exec(line)?.[1]}`];
  });

describe('-device help', () => {
  test('lists drivers by what they are for, each with its bus', async () => {
    const { status, out, err } = await answer(['run', '-device', 'help']);
    expect([status, err]).toEqual([0, '']);
    expect(out).toMatch(/^Misc devices:\n/m);
    expect(out).toContain('name "isa-debugcon", bus ISA, desc "');
    expect(out).toContain('name "pci-testdev", bus PCI, desc "PCI Test Device"\n');
    expect(out).not.toContain('i440FX');
  });

  test('of a driver lists its properties with type, default and what they are for', async () => {
    const { status, out } = await answer(['run', '-device', 'isa-debug-exit,help']);
    expect(status).toBe(0);
    expect(out).toBe(
      'isa-debug-exit options:\n' +
        '  iobase=<uint32>        - First I/O port (default: 1281)\n' +
        '  iosize=<uint32>        - How many ports (default: 2)\n',
    );
  });

  test('names types and defaults as QEMU does', without(noQemu), async () => {
    for (const driver of ['isa-debugcon', 'isa-debug-exit', 'pci-testdev']) {
      const ours = signatures((await answer(['run', '-device', `${driver},help`])).out);
      const theirs = signatures(qemu(`${driver},help`));
      expect(ours.length).toBeGreaterThan(0);
      expect(theirs).toEqual(expect.arrayContaining(ours));
    }
    expect((await answer(['run', '-device', 'pc-testdev,help'])).out).toBe(qemu('pc-testdev,help'));
    const names = (text: string): string[] => [...text.matchAll(/^ {2}([\w-]+=<\w+>)/gm)].map(([, name]) => name!);
    const ofDisks = names((await answer(['run', '-device', 'virtio-blk-pci,help'])).out);
    // A link of QEMU's is a name here, and what could be left to it on or off.
    const likes = { 'iothread=<str>': 'iothread=<link', 'disable-legacy=<bool>': 'disable-legacy=<OnOffAuto>' };
    const here = ofDisks.map((name) => likes[name as keyof typeof likes] ?? name);
    expect(here.length).toBeGreaterThan(30);
    const theirs = qemu('virtio-blk-pci,help');
    expect(here.filter((name) => !theirs.includes(`  ${name}`))).toEqual([]);
  });
});

describe('a device that cannot be had is answered with one sentence and status 2', () => {
  const debugcon = ['-chardev', 'null,id=d', '-device', 'isa-debugcon,chardev=d'];
  test.each([
    [['-device', 'isa-debugcn'], 'isa-debugcn: there is no such device. There are '],
    [['-device', ''], 'there is no such device'],
    [['-device', 'i440FX'], 'there is no such device'],
    [['-device', 'isa-debug-exit,iobse=4'], "unknown property 'iobse'. Known: iobase, iosize, id."],
    [['-device', 'isa-debug-exit,addr=4'], "unknown property 'addr'"],
    [['-device', 'isa-debug-exit,iobase=port'], 'iobase=port is not a whole number from 0 to 65535.'],
    [['-device', 'isa-debug-exit,iobase=65536'], 'iobase=65536 is not a whole number from 0 to 65535.'],
    [['-device', 'isa-debug-exit,iosize=0'], 'iosize=0 is not a whole number from 1 to 65536.'],
    [['-device', 'isa-debug-exit,iobase=0xffff'], 'ports 0xffff-0x10000 go beyond the last one'],
    [['-device', 'isa-debug-exit,iobase=0x3ff'], 'of ports 0x3ff-0x400 serial0 has 0x3f8-0x3ff'],
    [['-device', 'isa-debug-exit,iobase=0x40'], 'of ports 0x40-0x41 kvm-pit has 0x40-0x43'],
    [['-device', 'isa-debug-exit', '-device', 'isa-debug-exit'], 'isa-debug-exit#0 has 0x501-0x502'],
    [[...debugcon, '-device', 'pc-testdev'], 'pc-testdev: of ports 0xe8-0xeb isa-debugcon#0 has 0xe9'],
    [['-device', 'isa-debugcon'], 'name its -chardev with chardev=ID.'],
    [['-device', 'isa-debugcon,chardev=x'], 'no -chardev with id=x'],
    [[...debugcon, '-debugcon', 'stdio'], 'not both'],
    [['-device', 'edu,id=1a'], 'edu,id=1a: an id is a letter and then letters, digits'],
    [['-device', 'edu,id=x', '-device', 'pci-testdev,id=x'], 'pci-testdev,id=x: there is a device x already.'],
    [['-device', 'pci-testdev,addr=20'], 'addr=20 is not SLOT[.FUNCTION]'],
    [['-device', 'pci-testdev,addr=4.8'], 'addr=4.8 is not SLOT[.FUNCTION]'],
    [['-device', 'pci-testdev,addr=1.3'], 'at PCI address 01.3 there is piix4-pm already.'],
    [['-device', 'pci-testdev,addr=1f', '-device', 'pci-testdev,addr=1f.0'], '1f.0 there is pci-testdev#0 already.'],
    [['-device', 'pci-testdev,addr=2', '-device', 'pci-testdev,addr=2.1'], 'pci-testdev#0 is the only function'],
  ])('%j', async (argv, words) => {
    const { status, out, err } = await answer(['run', '--no-trace', '-nic', 'none', ...argv]);
    expect([status, out]).toEqual([2, '']);
    expect(err).toContain(words);
    expect(err).toMatch(/^retrovisor: [^\n]+\.\n$/);
  });
});

describe('what virtio-blk-pci is made with', () => {
  const disk = (said: string): string[] => [
    ...['-nic', 'none', '-drive', 'file=a,if=none,id=d'],
    ...['-device', `virtio-blk-pci,drive=d,${said}`],
  ];

  test('is understood as QEMU writes it', () => {
    const said = 'id=d0,serial=S1,logical_block_size=4k,physical_block_size=0x2000,write-cache=auto,werror=stop,cyls=9';
    const { id, properties } = runOptions(disk(`${said},heads=4,secs=32`)).devices[0]!;
    expect(id).toBe('d0');
    expect(properties).toEqual({
      ...{ drive: 'd', serial: 'S1', logical_block_size: 4096, physical_block_size: 8192 },
      ...{ 'write-cache': 'auto', werror: 'stop', cyls: 9, heads: 4, secs: 32 },
    });
  });

  test.each([
    ['logical_block_size=1000', 'logical_block_size is a power of two'],
    ['logical_block_size=256', 'logical_block_size=256 is not a whole number from 512 to 2097152'],
    ['logical_block_size=4k', 'logical_block_size is larger than physical_block_size: give both'],
    ['min_io_size=1000', 'min_io_size is a multiple of logical_block_size'],
    ['min_io_size=64m', 'min_io_size is at most 65535 logical blocks'],
    ['opt_io_size=1000', 'opt_io_size is a multiple of logical_block_size'],
    ['opt_io_size=1x', 'opt_io_size=1x is not a whole number'],
    ['discard_granularity=1000', 'discard_granularity is a multiple of logical_block_size'],
    ['max-discard-sectors=0', 'max-discard-sectors=0 is not a whole number from 1 to 4194303'],
    ['queue-size=6', 'queue-size is a power of two'],
    ['cyls=1', 'heads is from 1 to 255'],
    ['cyls=70000,heads=16,secs=63', 'cyls is from 1 to 65535'],
    ['cyls=8,heads=16,secs=300', 'secs is from 1 to 255'],
    ['werror=foo', 'werror=foo is not report, ignore, enospc, stop, auto.'],
    ['write-cache=maybe', 'write-cache=maybe is not on, off, auto.'],
  ])('%s is refused, as by QEMU', (said, sentence) => {
    expect(() => runOptions(disk(said))).toThrow(sentence);
  });
});

test('PCI devices go where they are told, or to the lowest slot nobody has', () => {
  const argv = [
    '-nic',
    'none',
    '-device',
    'pci-testdev,addr=02.0',
    '-device',
    'pci-testdev',
    '-device',
    'pci-testdev,addr=1.2',
  ];
  expect(runOptions(argv).devices.map(({ properties }) => properties)).toEqual([{ addr: '02.0' }, {}, { addr: '1.2' }]);
});

test('-debugcon is an isa-debugcon of its own backend', () => {
  expect(runOptions(['-serial', 'none', '-nic', 'none', '-debugcon', 'stdio'])).toMatchObject({
    devices: [{ driver: 'isa-debugcon', properties: {} }],
    characters: [{ dev: 'isa-debugcon#0', backend: { to: 'stdio' }, hears: false }],
  });
});
