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
    [['-device', 'pci-testdev,addr=20'], 'addr=20 is not SLOT[.FUNCTION]'],
    [['-device', 'pci-testdev,addr=4.8'], 'addr=4.8 is not SLOT[.FUNCTION]'],
    [['-device', 'pci-testdev,addr=1.3'], 'at PCI address 01.3 there is piix4-pm already.'],
    [['-device', 'pci-testdev,addr=1f', '-device', 'pci-testdev,addr=1f.0'], '1f.0 there is pci-testdev#0 already.'],
    [['-device', 'pci-testdev,addr=2', '-device', 'pci-testdev,addr=2.1'], 'pci-testdev#0 is the only function'],
  ])('%j', async (argv, words) => {
    const { status, out, err } = await answer(['run', '--no-trace', ...argv]);
    expect([status, out]).toEqual([2, '']);
    expect(err).toContain(words);
    expect(err).toMatch(/^retrovisor: [^\n]+\.\n$/);
  });
});

test('PCI devices go where they are told, or to the lowest slot nobody has', () => {
  const argv = ['-device', 'pci-testdev,addr=02.0', '-device', 'pci-testdev', '-device', 'pci-testdev,addr=1.2'];
  expect(runOptions(argv).devices.map(({ properties }) => properties)).toEqual([{ addr: '02.0' }, {}, { addr: '1.2' }]);
});

test('-debugcon is an isa-debugcon of its own backend', () => {
  expect(runOptions(['-serial', 'none', '-debugcon', 'stdio'])).toMatchObject({
    devices: [{ driver: 'isa-debugcon', properties: {} }],
    characters: [{ dev: 'isa-debugcon#0', backend: { to: 'stdio' }, hears: false }],
  });
});
