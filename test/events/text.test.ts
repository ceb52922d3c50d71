import { describe, expect, test } from 'vitest';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { VOCABULARY } from '../../src/events/vocabulary.ts';
import { textOf } from '../../src/replay/export/text.ts';

const NO_FACTS = {
  ticks: 0,
  rflags: 0,
  interruptibility: 0,
  cr8: 0,
  insn_len: 0,
  insn_info: 0,
  idt_error_code: 0,
  gla: 0n,
  gpa: 0,
  a0: 0n,
  a1: 0n,
  a2: 0n,
  a3: 0n,
  a4: 0n,
  a5: 0n,
};

const RUN_PAGE = {
  vcpu_id: 0,
  pending: '',
  rw: 0,
  addr: 0,
  size: 0,
  count: 0,
  data: new Uint8Array(0),
  if_flag: false,
  ready: false,
  cr8: 0,
};

/** Lines of captures of real Linux and QEMU (6.18's fields where the capture is older), and the events behind them. */
const CAPTURED: readonly (readonly [string, MachineEvent])[] = [
  [
    'vcpu 0 reason EPT_VIOLATION rip 0xfff0 info1 0x0000000000000784 info2 0x0000000000000000 intr_info 0x00000000 ' +
      'error_code 0x00000000 requests 0x0000000000000000',
    {
      kind: 'kvm_exit',
      exit_reason: 48,
      guest_rip: 0xfff0n,
      isa: 1,
      info1: 0x784n,
      info2: 0,
      intr_info: 0,
      error_code: 0,
      vcpu_id: 0,
      requests: 0,
      ...NO_FACTS,
    },
  ],
  [
    'vcpu 0, rip 0xfff0 intr_info 0x00000000 error_code 0x00000000',
    { kind: 'kvm_entry', vcpu_id: 0, rip: 0xfff0n, immediate_exit: false, intr_info: 0, error_code: 0 },
  ],
  [
    'vcpu 0 rip 0xe05b address 0x00000000000fe05b error_code 0x784',
    { kind: 'kvm_page_fault', vcpu_id: 0, guest_rip: 0xe05bn, fault_address: 0xfe05bn, error_code: 0x784 },
  ],
  ['gsi 4 level 0 source 0', { kind: 'kvm_set_irq', gsi: 4, level: 0, irq_source_id: 0 }],
  ['chip 0 pin 4 (edge)', { kind: 'kvm_pic_set_irq', chip: 0, pin: 4, elcr: 0, imr: 0, coalesced: false }],
  ['chip 0 pin 0 (edge|masked)', { kind: 'kvm_pic_set_irq', chip: 0, pin: 0, elcr: 0, imr: 1, coalesced: false }],
  [
    'pin 4 dst 0 vec 0 (Fixed|physical|edge|masked)',
    { kind: 'kvm_ioapic_set_irq', e: 0x10000n, pin: 4, coalesced: false },
  ],
  [
    'pio_write at 0x70 size 1 count 1 val 0x8f ',
    { kind: 'kvm_pio', rw: 1, port: 0x70, size: 1, count: 1, val: 0x8f, data: new Uint8Array(0) },
  ],
  ['reason KVM_EXIT_IO (2)', { kind: 'kvm_userspace_exit', reason: 2, errno: 0, ...RUN_PAGE }],
  ['reason restart (4)', { kind: 'kvm_userspace_exit', reason: 0, errno: -4, ...RUN_PAGE }],
  [
    'func 40000000 idx 6 rax 40000001 rbx 4b4d564b rcx 564b4d56 rdx 4d, cpuid entry found',
    {
      kind: 'kvm_cpuid',
      function: 0x40000000,
      index: 6,
      rax: 0x40000001,
      rbx: 0x4b4d564b,
      rcx: 0x564b4d56,
      rdx: 0x4d,
      found: true,
      used_max_basic: false,
    },
  ],
  ['msr_write 4b564d01 = 0xe8c21', { kind: 'kvm_msr', write: 1, ecx: 0x4b564d01, data: 0xe8c21n, exception: 0 }],
  ['cr_write 0 = 0x11', { kind: 'kvm_cr', rw: 1, cr: 0, val: 0x11n }],
  ['apic_write APIC_SPIV = 0x1ff', { kind: 'kvm_apic', rw: 1, reg: 0xf0, val: 0x1ffn }],
  ['mmio write len 4 gpa 0xfee000f0 val 0x1ff', { kind: 'kvm_mmio', type: 2, len: 4, gpa: 0xfee000f0, val: 0x1ffn }],
  ['dst 0 vec 0 (INIT|physical|assert|edge|all-but-self)', { kind: 'kvm_apic_ipi', icr_low: 0xc4500, dest_id: 0 }],
  ['dst 0 vec 16 (SIPI|physical|assert|edge|all-but-self)', { kind: 'kvm_apic_ipi', icr_low: 0xc4610, dest_id: 0 }],
  [
    'apicid 1 vec 16 (SIPI|edge)',
    { kind: 'kvm_apic_accept_irq', apicid: 1, dm: 0x600, tm: 0, vec: 16, accepted: true, rtc: false },
  ],
  ['apicid 0 vector -1', { kind: 'kvm_eoi', apicid: 0, vector: -1 }],
  ['irqchip PIC master pin 0', { kind: 'kvm_ack_irq', irqchip: 0, pin: 0 }],
  ['#UD', { kind: 'kvm_inj_exception', exception: 6, has_error: 0, error_code: 0, reinjected: false }],
  ['Soft/INTn 0x19 [reinjected]', { kind: 'kvm_inj_virq', vector: 0x19, soft: true, reinjected: true }],
  [
    '0:ec231:f3 6c (prot32)',
    {
      kind: 'kvm_emulate_insn',
      rip: 0xec231n,
      csbase: 0,
      len: 2,
      insn: Uint8Array.of(0xf3, 0x6c),
      flags: 5,
      failed: 0,
    },
  ],
  [
    'wait time 727667412 ns, polling valid',
    { kind: 'kvm_vcpu_wakeup', ns: 727667412, waited: true, valid: true, vcpu_id: 0 },
  ],
  ['vcpu 1 old 4096 new 8192 (growed)', { kind: 'kvm_ple_window_update', vcpu_id: 1, new: 8192, old: 4096 }],
  ['vcpu 1 old 8192 new 4096 (shrinked)', { kind: 'kvm_ple_window_update', vcpu_id: 1, new: 4096, old: 8192 }],
  [
    'vcpu_id 0, pvclock { version 2, tsc_timestamp 0x55aae33, system_time 0x4adee8, tsc_to_system_mul 0x924a159f, ' +
      'tsc_shift -1, flags 0x1 }',
    {
      kind: 'kvm_pvclock_update',
      vcpu_id: 0,
      version: 2,
      tsc_timestamp: 0x55aae33n,
      system_time: 0x4adee8n,
      tsc_to_system_mul: 0x924a159f,
      tsc_shift: -1,
      flags: 1,
    },
  ],
  [
    'vcpu=0 prev=0 next=18446744068505383912',
    { kind: 'kvm_write_tsc_offset', vcpu_id: 0, previous_tsc_offset: 0n, next_tsc_offset: 18446744068505383912n },
  ],
  [
    'vcpu_id 0 masterclock 0 offsetmatched 0 nr_online 1 hostclock tsc',
    {
      kind: 'kvm_track_tsc',
      vcpu_id: 0,
      nr_vcpus_matched_tsc: 0,
      online_vcpus: 1,
      use_master_clock: false,
      host_clock: 1,
    },
  ],
  [
    'sp gen 1 gfn 40000 l2 8-byte q0 direct wux nxe ad root 0 sync new',
    {
      kind: 'kvm_mmu_get_page',
      mmu_valid_gen: 1,
      gfn: 0x40000,
      role: 0x1782,
      root_count: 0,
      unsync: false,
      created: true,
    },
  ],
  ['type 0xae00, arg (nil)', { kind: 'kvm_ioctl', type: 0xae00, arg: 0 }],
  ['cpu_index 0, type 0xaea3, arg (nil)', { kind: 'kvm_vcpu_ioctl', cpu_index: 0, type: 0xaea3, arg: 0 }],
  [
    'Slot#1 flags=0x2 gpa=0xfffc0000 size=0x40000 ua=0x7fe98e000000 ret=0',
    {
      kind: 'kvm_set_user_memory',
      slot: 1,
      flags: 2,
      guest_phys_addr: 0xfffc0000,
      memory_size: 0x40000,
      userspace_addr: 0x7fe98e000000,
      ret: 0,
    },
  ],
  [
    'piix3-ide 00:01.1 4,0xc080+0x10',
    {
      kind: 'pci_update_mappings_add',
      dev: 'piix3-ide',
      bus: 0,
      slot: 1,
      func: 1,
      bar: 4,
      addr: 0xc080,
      size: 0x10,
    },
  ],
];

describe('the text of an event', () => {
  test.each(CAPTURED)('%s', (line, event) => {
    expect(textOf(event)).toBe(line);
  });

  test('a spte of a long-mode walk prints its access as the kernel does', () => {
    const spte = { gfn: 0xfe05b, spte: 0x600000123abc77n, sptep: 0x1000, level: 1, r: true, x: true, u: -1 };
    expect(textOf({ kind: 'kvm_mmu_set_spte', ...spte })).toBe('gfn fe05b spte 600000123abc77 (rwx) level 1 at 1000');
  });

  test('every kind prints something for a blank event without failing', () => {
    const blank = { u: 0, i: 0, u64: 0n, text: '', bytes: new Uint8Array(0), packet: new Uint8Array(0), bool: false };
    for (const [kind, row] of Object.entries(VOCABULARY)) {
      const fields = Object.entries(row.fields).map(([name, type]) => [name, blank[type as keyof typeof blank]]);
      const text = textOf({ kind, ...Object.fromEntries(fields) } as unknown as MachineEvent);
      expect(text, kind).not.toMatch(/undefined|NaN|\[object/);
    }
  });
});
