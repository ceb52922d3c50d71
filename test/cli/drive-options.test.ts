import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { drivesAsked } from '../../src/options/drive-options.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { understoodRun } from '../../src/options/run-request.ts';
import { installBlockPorts } from '../vmm/drives/block-ports.ts';

const drive = (text: string) => drivesAsked([text]).drives[0]!;

const QEMUS = {
  ...{ format: undefined, readOnly: false, writeCache: true, noFlush: false, discards: false, serial: '' },
};

describe('-drive', () => {
  test('is a drive with what QEMU takes where nothing is said, and if=virtio a device with it', () => {
    expect(drivesAsked(['file=a,,b.raw,if=none,id=x', 'file=c.raw,if=virtio,format=raw', 'file=d,if=virtio'])).toEqual({
      drives: [
        { id: 'x', path: 'a,b.raw', ...QEMUS },
        { id: 'virtio0', path: 'c.raw', ...QEMUS, format: 'raw' },
        { id: 'virtio1', path: 'd', ...QEMUS },
      ],
      devices: [
        { driver: 'virtio-blk-pci', properties: { drive: 'virtio0' } },
        { driver: 'virtio-blk-pci', properties: { drive: 'virtio1' } },
      ],
    });
  });

  test('takes numbers that are free, as QEMU gives them', () => {
    const ids = drivesAsked([
      'file=a,if=virtio,index=1',
      'file=b,if=virtio',
      'file=c,if=virtio',
      'file=d,if=none',
    ]).drives.map(({ id }) => id);
    expect(ids).toEqual(['virtio1', 'virtio0', 'virtio2', 'none0']);
  });

  test.each([
    ['cache=none', { writeCache: true }],
    ['cache=unsafe', { writeCache: true, noFlush: true }],
    ['cache=writethrough', { writeCache: false }],
    ['cache=directsync', { writeCache: false, noFlush: false }],
    ['readonly=on', { readOnly: true }],
    ['readonly', { readOnly: true }],
    ['discard=unmap', { discards: true }],
    ['serial=RV0001', { serial: 'RV0001' }],
    ['werror=ignore,rerror=stop', { werror: 'ignore', rerror: 'stop' }],
    ['jitter=1.5ms', { jitter: 1_500_000 }],
    ['error=EIO', { faults: [{ errno: 5, once: false }] }],
    [
      'error=28,op=write,sector=0x10+8,at=2s,once=on,error=EIO,op=flush',
      {
        faults: [
          { errno: 28, op: 'write', sectors: { first: 16, count: 8 }, at: 2_000_000_000, once: true },
          { errno: 5, op: 'flush', once: false },
        ],
      },
    ],
    ['aio=native,media=disk,snapshot=on', QEMUS],
  ])('%s is understood', (said, means) => {
    expect(drive(`file=a,if=none,${said}`)).toMatchObject(means);
  });

  test.each([
    ['if=none', 'name its image with file=PATH'],
    ['file=a', 'QEMU would take if=ide, which is not supported. Give if=virtio, or if=none with a -device.'],
    ['file=a,if=ide', 'if=ide is not supported. Give if=virtio'],
    ['file=a,if=toString', 'if=toString is not supported'],
    ['file=a,if=none,format=qcow2', 'format=qcow2 is not supported. There is raw.'],
    ['file=a,if=none,format=toString', 'format=toString is not supported'],
    ['file=a,if=none,media=cdrom', 'media=cdrom is not supported: there are disks only'],
    ['file=a,if=none,snapshot=off', '--commit writes back what it changed'],
    ['file=a,if=none,readonly=maybe', "readonly is on or off, not 'maybe'"],
    ['file=a,if=none,cache=fast', "cache is writeback, none, unsafe, writethrough, directsync, not 'fast'"],
    ['file=a,if=none,rerror=enospc', "rerror is report, ignore, stop, not 'enospc'"],
    ['file=a,if=none,error=EFOO', 'error is EPERM, EIO, '],
    ['file=a,if=none,error=0', "or their number, not '0'"],
    ['file=a,if=none,sector=8,error=EIO', 'sector= is of a fault: write error=EIO before it'],
    ['file=a,if=none,error=EIO,op=reed', "op is read, write, flush, discard, write-zeroes, not 'reed'"],
    ['file=a,if=none,error=EIO,sector=1+2+3', "sector is SECTOR or SECTOR+COUNT, not '1+2+3'"],
    ['file=a,if=none,error=EIO,sector=1+0', "'0' is not a whole number from 1 to"],
    ['file=a,if=none,error=EIO,op=flush,sector=1', 'a flush is of no sector'],
    ['file=a,if=none,error=EIO,at=5', "at: '5' is not a time"],
    ['file=a,if=none,error=EIO,once=twice', "once is on or off, not 'twice'"],
    ['file=a,if=none,jitter=2s', "jitter: '2s' is not a time up to 1 s"],
    ['file=a,if=none,id=__proto__', 'an id is a letter and then'],
    ['file=a,if=none,id=1', 'an id is a letter and then'],
    ['file=a,if=none,index=32', "'32' is not a whole number from 0 to 31"],
    ['file=a,if=none,colour=red', "unknown property 'colour'. Known: file, if, format"],
  ])('%s is refused', (text, sentence) => {
    expect(() => drivesAsked([text])).toThrow(sentence);
  });

  test('is refused where another is the same', () => {
    expect(() => drivesAsked(['file=a,if=none,id=d', 'file=b,if=virtio,id=d'])).toThrow('there is a drive d already');
    expect(() => drivesAsked(['file=a,if=none,index=3', 'file=b,if=none,index=3'])).toThrow('with index 3 already');
  });

  test('of other kinds stays refused, with what there is', () => {
    expect(() => runOptions(['-hda', 'x'])).toThrow('give disks as -drive file=PATH,if=virtio');
    expect(() => runOptions(['disk.raw'])).toThrow('give a disk as -drive file=disk.raw,if=virtio');
  });
});

describe('the drive of a device', () => {
  let remove: () => void;
  beforeAll(() => void (remove = installBlockPorts()));
  afterAll(() => remove());

  const D0 = ['-drive', 'file=a,if=none,id=d0'];

  test('is one there is', () => {
    expect(runOptions(['-nic', 'none', ...D0, '-device', 'pc-testdev,drive=d0'])).toMatchObject({
      drives: [{ id: 'd0' }],
      devices: [{ driver: 'pc-testdev', properties: { drive: 'd0' } }],
    });
    expect(understoodRun({ drives: [D0[1]!], devices: ['pc-testdev,drive=d0'], commit: true })).toMatchObject({
      ...{ drives: [{ id: 'd0' }], commits: true },
    });
  });

  test.each([
    [['-device', 'pc-testdev'], 'say which drive it is for: drive=ID'],
    [['-device', 'pc-testdev,drive=d1'], 'drive=d1 is no drive. There are d0.'],
    [['-device', 'pc-testdev,drive=d0', '-device', 'pc-testdev,drive=d0'], 'd0 is in use already, by pc-testdev'],
  ])('%j is refused', (words, sentence) => {
    expect(() => runOptions([...D0, ...words])).toThrow(sentence);
  });

  test('is not there without a -drive', () => {
    expect(() => runOptions(['-device', 'pc-testdev,drive=d0'])).toThrow('drive=d0 is no drive. There is none');
  });
});

describe('--commit', () => {
  test('wants something to write back, and one end', () => {
    expect(() => runOptions(['--commit'])).toThrow('--commit needs a -drive');
    expect(() => runOptions(['--commit', '-drive', 'file=a,if=none', '-s'])).toThrow('Give -gdb or --commit, not both');
  });

  test('is not what happens by itself, and -snapshot says so', () => {
    expect(runOptions(['-snapshot', '-drive', 'file=a,if=none'])).toMatchObject({ commits: false });
  });
});
