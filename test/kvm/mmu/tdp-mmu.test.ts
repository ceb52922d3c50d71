import { describe, expect, it } from 'vitest';
import { EPT_PAGE_WORDS, EPT_WRITE, eptAddress, eptIndex, eptWord, tablePages } from '../../../src/memory/ept-pool.ts';
import { hostVirtual } from '../../../src/memory/host-physical.ts';
import * as io from '../../../src/kvm/ioctl/ioctls.ts';
import { type Bench, bench, kinds } from '../bench.ts';
import { exitOf } from '../fake-guest.ts';

const fault = (gpa: number, qualification: bigint) => () => ({
  exit: exitOf(48, { qualification, guestPhysicalAddress: gpa }),
});
const READ = 0x781n;
const WRITE = 0x782n;
const WRITE_TO_READABLE = 0x7aan;

function entryAt({ state, guest }: Bench, gpa: number): { low: number; high: number; level: number } {
  let { table } = state.ept.roots.tdp;
  for (let level = 4; ; level -= 1) {
    const word = eptWord(table, eptIndex(gpa, level));
    const low = guest.eptWords[word]!;
    const high = guest.eptWords[word + 1]!;
    if (level === 1 || (low & 0x800) === 0 || (low & 0x80) !== 0) return { low, high, level };
    table = eptAddress(low, high);
  }
}

function setSlot(b: Bench, region: Partial<io.UserMemoryRegion>): number {
  return b.vmIoctl(io.KVM_SET_USER_MEMORY_REGION, {
    slot: 1,
    flags: 0,
    guestPhysAddr: 0x400000,
    memorySize: 0x400000,
    userspaceAddr: 0x400000,
    ...region,
  });
}

describe('the TDP MMU', () => {
  it('maps a page to the host page its slot names', () => {
    const b = bench([fault(0x5123, READ)]);
    b.advance();
    const { low, high, level } = entryAt(b, 0x5123);
    expect(level).toBe(1);
    expect(hostVirtual(eptAddress(low, high))).toBe(0x5000);
    expect(low & 0xfff).toBe(0xb77);
    expect(high >>> 24).toBe(0x86);
  });

  it('maps 2 MiB at once where slot and alignment allow it', () => {
    const b = bench([fault(0x6f0123, READ)]);
    setSlot(b, {});
    b.advance();
    expect(entryAt(b, 0x6f0123).level).toBe(2);
  });

  it('makes a write to a read-only slot an MMIO exit', () => {
    const b = bench(
      [fault(0x400010, READ), fault(0x400010, WRITE_TO_READABLE)],
      [{ then: 'done', writes: [{ gpa: 0x400010, bytes: Uint8Array.of(7) }], breakpoints: 0 }],
    );
    setSlot(b, { flags: io.KVM_MEM_READONLY });
    expect(b.advance()).toBe('entered');
    expect(entryAt(b, 0x400010).low & EPT_WRITE).toBe(0);
    expect(b.advance()).toBe('userspace');
    expect(b.run.mmio).toEqual({ physAddr: 0x400010, data: [7], length: 1, isWrite: true });
  });

  it('has as many pages as the state says, whatever lies behind the processor', () => {
    const b = bench([]);
    expect(b.state.ept.pages).toBe(tablePages(2 ** 20));
    expect(b.guest.eptWords.length).toBeGreaterThanOrEqual(b.state.ept.pages * EPT_PAGE_WORDS);
  });

  it('begins anew when a guest that touches memory everywhere has used up the pool', () => {
    const places = Array.from({ length: 1100 }, (_, at) => 0x400000 + at * 0x200000);
    const b = bench(places.map((gpa) => fault(gpa, READ)));
    setSlot(b, { flags: io.KVM_MEM_LOG_DIRTY_PAGES, memorySize: 0x1_0000_0000 });
    b.events.length = 0;
    for (const gpa of places) {
      expect(b.advance()).toBe('entered');
      expect(hostVirtual(eptAddress(entryAt(b, gpa).low, entryAt(b, gpa).high))).toBe(gpa);
    }
    const zapped = b.events.filter((event) => event.kind === 'kvm_mmu_zap_all_fast');
    expect(zapped.map(({ mmu_used_pages: used }) => used)).toEqual([509, 509]);
  });

  it('logs dirty pages by write protection, and again after the log was read', () => {
    const b = bench([fault(0x401000, READ), fault(0x401000, WRITE_TO_READABLE), fault(0x401000, WRITE_TO_READABLE)]);
    setSlot(b, { flags: io.KVM_MEM_LOG_DIRTY_PAGES });
    b.advance();
    const bitmap = new Uint8Array(128);
    b.vmIoctl(io.KVM_GET_DIRTY_LOG, { slot: 1, bitmap });
    expect(bitmap[0]).toBe(0);
    for (let round = 0; round < 2; round += 1) {
      b.advance();
      expect(kinds(b.events)).toContain('fast_page_fault');
      expect(entryAt(b, 0x401000).low & EPT_WRITE).toBe(EPT_WRITE);
      b.vmIoctl(io.KVM_GET_DIRTY_LOG, { slot: 1, bitmap });
      expect(bitmap[0]).toBe(2);
      expect(entryAt(b, 0x401000).low & EPT_WRITE).toBe(0);
    }
  });

  it('splits a 2 MiB page when its slot starts to log', () => {
    const b = bench([fault(0x400000, WRITE), fault(0x403000, WRITE_TO_READABLE)]);
    setSlot(b, {});
    b.advance();
    setSlot(b, { flags: io.KVM_MEM_LOG_DIRTY_PAGES });
    b.advance();
    expect(kinds(b.events)).toContain('kvm_mmu_split_huge_page');
    expect(entryAt(b, 0x403000)).toMatchObject({ level: 1 });
    expect(entryAt(b, 0x403000).low & EPT_WRITE).toBe(EPT_WRITE);
    expect(entryAt(b, 0x404000).low & EPT_WRITE).toBe(0);
  });

  it('drops every translation when a slot is deleted, and gives the pages back zeroed', () => {
    const b = bench([fault(0x5000, READ)]);
    b.advance();
    const { table: root } = b.state.ept.roots.tdp;
    expect(setSlot(b, { slot: 0, guestPhysAddr: 0, memorySize: 0, userspaceAddr: 0 })).toBe(0);
    expect(b.state.ept).toMatchObject({ roots: { tdp: { table: 0 } }, used: 0 });
    expect(b.guest.eptWords.every((word) => word === 0)).toBe(true);
    expect(root).not.toBe(0);
  });

  it('maps anew where a slot took the place of MMIO', () => {
    const b = bench(
      [fault(0x400000, READ), () => ({ exit: exitOf(49, { guestPhysicalAddress: 0x400000 }) })],
      [{ then: 'done', writes: [], breakpoints: 0 }],
    );
    b.advance();
    expect(entryAt(b, 0x400000).low & 7).toBe(6);
    setSlot(b, { memorySize: 0x1000 });
    b.advance();
    expect(entryAt(b, 0x400000).low & 7).toBe(7);
  });

  it('refuses overlapping, unaligned and resized slots as Linux does', () => {
    const b = bench([]);
    expect(setSlot(b, {})).toBe(0);
    expect(setSlot(b, { slot: 2 })).toBe(-17);
    expect(setSlot(b, { slot: 2, guestPhysAddr: 0x800800 })).toBe(-22);
    expect(setSlot(b, { memorySize: 0x1000 })).toBe(-22);
    expect(setSlot(b, { slot: 5, memorySize: 0 })).toBe(-22);
  });
});
