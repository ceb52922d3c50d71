import { describe, expect, test } from 'vitest';
import { bootTrack, FIRST_PARTITION } from '../../scripts/guests/boot-record.ts';

/** boot.img and core.img as GRUB 2.06's grub-mkimage leaves them, of three sectors' core. */
function loader() {
  const boot = new Uint8Array(512).fill(0xcc);
  const core = new Uint8Array(3 * 512 - 100).fill(0xdd);
  new DataView(boot.buffer).setBigUint64(0x5c, 1n, true);
  const list = new DataView(core.buffer, 512 - 12);
  list.setBigUint64(0, 2n, true);
  list.setUint16(8, 2, true);
  list.setUint16(10, 0x820, true);
  return { boot, core };
}

describe('what lies before a partition', () => {
  test('is the boot sector with one active partition, and the loader behind it', () => {
    const track = Buffer.from(bootTrack(loader(), 1023 << 20, 0xb00c1200));
    expect(track.length).toBe(FIRST_PARTITION);
    expect(track.subarray(0, 0x5c).every((byte) => byte === 0xcc)).toBe(true);
    expect(track.toString('hex', 0x66, 0x68)).toBe('9090');
    expect(track.toString('hex', 0x1b8, 0x1ce)).toBe('00120cb00000' + '80feffff83feffff' + '00080000' + '00f81f00');
    expect(track.toString('hex', 0x1ce, 512)).toBe(`${'00'.repeat(48)}55aa`);
    expect([track[512], track[512 + 3 * 512 - 101], track[512 + 3 * 512 - 100]]).toEqual([0xdd, 0xdd, 0]);
  });

  test('is refused where the loader is not what it is taken for', () => {
    const { boot, core } = loader();
    const elsewhere = Uint8Array.from(core);
    elsewhere[512 - 12] = 3;
    expect(() => bootTrack({ boot, core: elsewhere }, 1 << 20, 1)).toThrow('one lies behind the other');
    expect(() => bootTrack({ boot, core: new Uint8Array(1 << 20) }, 1 << 20, 1)).toThrow('too long');
    expect(() => bootTrack({ boot: boot.subarray(1), core }, 1 << 20, 1)).toThrow('511 bytes long');
  });
});
