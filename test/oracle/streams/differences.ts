/** Why an event may be in one recording and not in the other. `where`: which side has it. */
export interface Explanation {
  readonly where: 'reference' | 'ours' | 'either';
  readonly token: RegExp;
  readonly why: string;
}

const SMM = 'SMM: the recording ran with smm=on, so the firmware installs its SMI handler';

/** The kinds of difference between our machine and the KVM-Intel recordings; docs/event-order.md says more. */
export const EXPLANATIONS: readonly Explanation[] = [
  {
    where: 'reference',
    token: /EXTERNAL_INTERRUPT/,
    why: "the host's own interrupts: our host has none",
  },
  {
    where: 'either',
    token: /EXTERNAL_INTERRUPT|PREEMPTION_TIMER|INTERRUPT_WINDOW|PENDING_INTERRUPT|PAUSE_INSTRUCTION| HLT /,
    why: 'timing: when a timer fires or another vCPU answers depends on the speed of the host',
  },
  {
    where: 'either',
    token:
      // biome-ignore format: one pattern
      /APIC_(WRITE|ACCESS)|EPT_MISCONFIG|EOI_INDUCED|TPR_BELOW|^apic_(read|write)|msr_(read|write) 8|MSR_(READ|WRITE)/,
    why: 'APICv: with it the recording host wrote LAPIC registers without an MSR or EPT exit',
  },
  {
    where: 'either',
    token: /^cpuid |CPUID/,
    why: 'CPUID: the recording passed its host processor through, so firmware and guest ask for other leaves',
  },
  {
    where: 'either',
    token: /^smm |0xb2|pio (read|write) b[23]|WBINVD|info1 b2|RSM/,
    why: SMM,
  },
  {
    // PIIX4 PM's DEVACTB (58h) and GLBCTL (PMBASE + 28h), the host bridge's SMRAM (72h); RSM, which faults outside SMM.
    where: 'reference',
    token: /cf8 4 1 0x80000(b58|070)|cfc 4 1 0x(0|2000000)$|cfe 1 1 0x4?a$| 628 4 1 |EXCEPTION_NMI at 0xfe2c1/,
    why: SMM,
  },
  {
    where: 'ours',
    token: /^pio read cfc 4 1 0x2000000$/,
    why: SMM,
  },
  {
    where: 'reference',
    token: /^msr_write 3a$/,
    why: 'CPUID: with VMX in it, QEMU has the firmware set IA32_FEATURE_CONTROL',
  },
  {
    where: 'either',
    token: /^pio write 518 4 1 /,
    why: "fw_cfg DMA: the command lies on the firmware's stack, whose depth follows the path to it",
  },
  {
    where: 'reference',
    token: /^cr cr_write 0 = 0x1[01]$|CR_ACCESS 100 at 0x(cfb6|ec3d)$|^pio write 510 |^pio read 511 /,
    why: "option ROMs: the recording's firmware ran one more, QEMU's multiboot.bin, which starts the kernel",
  },
  {
    where: 'either',
    token: /^pio write 7e 2 1 0x20$/,
    why: "option ROMs: kvmvapic runs before the recording's multiboot.bin, among other calls",
  },
  {
    where: 'either',
    token: /pio \w+ (40|41|42|43|61|608|70|71|3fd|3f8|402|92) |IO_INSTRUCTION/,
    why: 'polling of a clock or of the serial line, and debug output that names addresses of its run',
  },
  {
    where: 'either',
    token: /^inject |^accept |^ipi /,
    why: 'interrupts: APICv delivers them without an injection event, and they come when their timer or peer is ready',
  },
  {
    where: 'either',
    token: /^cr cr_write 0 = 0x[8e]0000011$/,
    why: "CR0.CD and NW survive INIT: the recording's firmware had cleared them everywhere, direct boot runs none",
  },
];

/** The first explanation that fits. */
export function explain(token: string, side: 'reference' | 'ours'): string | undefined {
  return EXPLANATIONS.find(({ where, token: pattern }) => (where === 'either' || where === side) && pattern.test(token))
    ?.why;
}
