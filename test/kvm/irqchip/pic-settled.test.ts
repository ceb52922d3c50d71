import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Draft } from '../../../src/base/draft.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { isSettled, lineMoved } from '../../../src/kvm/evolve/pic.ts';
import type { PicChip, PicState } from '../../../src/kvm/irqchip/state.ts';
import type { KvmState } from '../../../src/kvm/state.ts';

const byte = fc.integer({ min: 0, max: 0xff });
const few = fc.oneof(fc.constant(0), byte);

/** Registers a guest or a monitor can bring about: a cause stands beside each request. */
const chip: fc.Arbitrary<PicChip> = fc
  .record({ lastIrr: few, irr: few, imr: few, isr: few, elcr: few, priorityAdd: fc.integer({ min: 0, max: 7 }) })
  .map((registers) => ({
    ...{ irqBase: 8, readRegSelect: 0, poll: 0, specialMask: 0, initState: 0, autoEoi: 0, rotateOnAutoEoi: 0 },
    ...{ specialFullyNested: 0, init4: 0, elcrMask: 0xff },
    ...registers,
    causes: Array.from({ length: 8 }, (_, pin) => ((registers.irr >> pin) & 1 ? 100 + pin : -1)),
  }));

const pair: fc.Arbitrary<PicState> = fc.record({
  chips: fc.tuple(chip, chip),
  output: fc.boolean(),
  irqStates: fc.array(fc.constantFrom(0, 1), { minLength: 16, maxLength: 16 }),
});

/** Of a VM's state what these look at. No local APIC takes the PIC's interrupts. */
const stateOf = (pic: PicState): Draft<KvmState> =>
  ({ vm: { irqchip: { pic: structuredClone(pic), lapics: [] } }, vcpus: [] }) as unknown as Draft<KvmState>;

test('an input of the PIC that a reader of states passes over would have changed nothing', () => {
  let settled = 0;
  fc.assert(
    fc.property(pair, fc.nat(15), (pic, irq) => {
      const event = {
        kind: 'kvm_pic_set_irq',
        chip: irq >> 3,
        pin: irq & 7,
        elcr: 0,
        imr: 0,
        coalesced: false,
      } as const;
      const state = stateOf(pic);
      if (!isSettled(state as KvmState, event)) return;
      settled += 1;
      lineMoved(state, event, { seq: 7, tick: 0, source: 0, event } as unknown as Stamped);
      expect(state.vm?.irqchip?.pic).toEqual(pic);
    }),
    { numRuns: 3000 },
  );
  expect(settled).toBeGreaterThan(100);
});
