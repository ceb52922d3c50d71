import * as aml from './aml.ts';
import type { Aml } from './aml.ts';
import { interrupts, resourceTemplate } from './resources.ts';

const [LOCAL0, LOCAL1, LOCAL2, LOCAL3, LOCAL4] = aml.LOCAL as [Aml, Aml, Aml, Aml, Aml];
const [ARG0, ARG1, ARG2, ARG3, ARG4] = aml.ARG as [Aml, Aml, Aml, Aml, Aml];
const LOCK = 'BLCK';

/** Registers and methods of PCI hot plug. QEMU docs/specs/acpi_pci_hotplug.rst. */
export function pciHotplug(): Aml {
  const whole = aml.FIELD.dword | aml.FIELD.writeAsZeros;
  return aml.scope(
    '_SB.PCI0',
    aml.region('PCST', aml.SPACE.io, 0xae00, 8),
    aml.field('PCST', whole, ['PCIU', 32], ['PCID', 32]),
    aml.region('SEJ', aml.SPACE.io, 0xae08, 4),
    aml.field('SEJ', whole, ['B0EJ', 32]),
    aml.region('BNMR', aml.SPACE.io, 0xae10, 8),
    aml.field('BNMR', whole, ['BNUM', 32], ['PIDX', 32]),
    aml.mutex(LOCK),
    aml.method(
      'PCEJ',
      2,
      aml.acquire(LOCK),
      aml.store(ARG0, 'BNUM'),
      aml.store(aml.shiftLeft(1, ARG1), 'B0EJ'),
      aml.release(LOCK),
      aml.give(0),
    ),
    aml.method(
      'AIDX',
      2,
      aml.acquire(LOCK),
      aml.store(ARG0, 'BNUM'),
      aml.store(aml.shiftLeft(1, ARG1), 'PIDX'),
      aml.store('PIDX', LOCAL0),
      aml.release(LOCK),
      aml.give(LOCAL0),
    ),
    deviceLabel(),
  );
}

/** _DSM of every slot: the name a device keeps wherever it is plugged. PCI Firmware specification 3.1, 4.6.7. */
function deviceLabel(): Aml {
  const nobody = 0xffffffff;
  const indexOfSlot = aml.store(
    aml.call('AIDX', aml.derefOf(aml.index(ARG4, 0)), aml.derefOf(aml.index(ARG4, 1))),
    LOCAL2,
  );
  return aml.serialized(
    'PDSM',
    5,
    aml.when(
      aml.equal(ARG2, 0),
      aml.store(aml.buffer([0]), LOCAL0),
      aml.store(0, LOCAL1),
      aml.when(aml.not(aml.equal(ARG0, aml.buffer(LABEL_UUID))), aml.give(LOCAL0)),
      aml.when(aml.less(ARG1, 2), aml.give(LOCAL0)),
      indexOfSlot,
      aml.when(
        aml.not(aml.or(aml.equal(LOCAL2, 0), aml.equal(LOCAL2, nobody))),
        aml.or(LOCAL1, 1, LOCAL1),
        aml.or(LOCAL1, aml.shiftLeft(1, 7), LOCAL1),
      ),
      aml.store(LOCAL1, aml.index(LOCAL0, 0)),
      aml.give(LOCAL0),
    ),
    aml.when(
      aml.equal(ARG2, 7),
      indexOfSlot,
      aml.store(aml.packageOf([], 2), LOCAL0),
      aml.when(
        aml.not(aml.eitherTrue(aml.equal(LOCAL2, 0), aml.equal(LOCAL2, nobody))),
        aml.store(LOCAL2, aml.index(LOCAL0, 0)),
        aml.store(aml.text(''), aml.index(LOCAL0, 1)),
      ),
      aml.give(LOCAL0),
    ),
  );
}

/** e5c937d0-3553-4d7a-9117-ea4d19c3434d. */
const LABEL_UUID = [0xd0, 0x37, 0xc9, 0xe5, 0x53, 0x35, 0x7a, 0x4d, 0x91, 0x17, 0xea, 0x4d, 0x19, 0xc3, 0x43, 0x4d];

/** The PCI interrupt routing table and the five links it names. ACPI 6.2.13. */
export function interruptLinks(): Aml {
  return aml.scope(
    '_SB',
    aml.scope('PCI0', routingTable()),
    aml.method('IQST', 1, aml.when(aml.and(0x80, ARG0), aml.give(0x09)), aml.give(0x0b)),
    aml.serialized(
      'IQCR',
      1,
      aml.name('PRR0', resourceTemplate(interrupts(0))),
      aml.createDwordField('PRR0', 5, 'PRRI'),
      aml.when(aml.less(ARG0, 0x80), aml.store(ARG0, 'PRRI')),
      aml.give('PRR0'),
    ),
    ...['LNKA', 'LNKB', 'LNKC', 'LNKD'].map(routedLink),
    fixedLink(),
  );
}

/** Slot s, pin p is wired to link (s + p - 1) mod 4; slot 1 INTA# is the SCI's own link. */
function routingTable(): Aml {
  const entry = (link: string): Aml => aml.store(aml.packageOf([0, 0, link, 0]), LOCAL4);
  return aml.method(
    '_PRT',
    0,
    aml.store(aml.packageOf([], 0x80), LOCAL0),
    aml.store(0, LOCAL1),
    aml.loop(
      aml.less(LOCAL1, 0x80),
      aml.store(aml.shiftRight(LOCAL1, 2), LOCAL2),
      aml.store(aml.and(aml.add(LOCAL1, LOCAL2), 3), LOCAL3),
      aml.when(aml.equal(LOCAL3, 0), entry('LNKD')),
      aml.when(aml.equal(LOCAL3, 1), aml.when(aml.equal(LOCAL1, 4), entry('LNKS')), aml.otherwise(entry('LNKA'))),
      aml.when(aml.equal(LOCAL3, 2), entry('LNKB')),
      aml.when(aml.equal(LOCAL3, 3), entry('LNKC')),
      aml.store(aml.or(aml.shiftLeft(LOCAL2, 0x10), 0xffff), aml.index(LOCAL4, 0)),
      aml.store(aml.and(LOCAL1, 3), aml.index(LOCAL4, 1)),
      aml.store(LOCAL4, aml.index(LOCAL0, LOCAL1)),
      aml.increment(LOCAL1),
    ),
    aml.give(LOCAL0),
  );
}

function routedLink(name: string, index: number): Aml {
  const register = `PRQ${index}`;
  return aml.device(
    name,
    aml.name('_HID', aml.eisaId('PNP0C0F')),
    aml.name('_UID', index),
    aml.name('_PRS', resourceTemplate(interrupts(5, 10, 11))),
    aml.method('_STA', 0, aml.give(aml.call('IQST', register))),
    aml.method('_DIS', 0, aml.or(register, 0x80, register)),
    aml.method('_CRS', 0, aml.give(aml.call('IQCR', register))),
    aml.method('_SRS', 1, aml.createDwordField(ARG0, 5, 'PRRI'), aml.store('PRRI', register)),
  );
}

function fixedLink(): Aml {
  return aml.device(
    'LNKS',
    aml.name('_HID', aml.eisaId('PNP0C0F')),
    aml.name('_UID', 4),
    aml.name('_PRS', resourceTemplate(interrupts(9))),
    aml.method('_STA', 0, aml.give(0x0b)),
    aml.method('_DIS', 0),
    aml.method('_CRS', 0, aml.give('_PRS')),
    aml.method('_SRS', 1),
  );
}

/** A device per slot of bus 0. Slot 1 holds the ISA bridge and its children; slots 2-31 can be plugged. */
export function hotplugSlots(isaChildren: Aml): Aml {
  const slots = Array.from({ length: 32 }, (_, slot) => slot);
  const pluggable = slots.filter((slot) => slot >= FIRST_PLUGGABLE);
  return aml.scope(
    '\\_SB',
    aml.scope(
      'PCI0',
      aml.name('BSEL', 0),
      ...slots.map((slot) => slotDevice(slot, slot === 1 ? isaChildren : [])),
      aml.method(
        'DVNT',
        2,
        ...pluggable.map((slot) => aml.when(aml.and(ARG0, 2 ** slot), aml.notify(slotName(slot), ARG1))),
      ),
      aml.method('PCNT', 0, aml.store(0, 'BNUM'), aml.call('DVNT', 'PCIU', 1), aml.call('DVNT', 'PCID', 3)),
    ),
  );
}

function slotDevice(slot: number, children: Aml): Aml {
  const label = aml.serialized(
    '_DSM',
    4,
    aml.store(aml.packageOf(['BSEL', 'ASUN']), LOCAL0),
    aml.give(aml.call('PDSM', ARG0, ARG1, ARG2, ARG3, LOCAL0)),
  );
  const eject = aml.method('_EJ0', 1, aml.call('PCEJ', 'BSEL', '_SUN'));
  const plug = slot >= FIRST_PLUGGABLE ? [aml.name('_SUN', slot), eject] : [];
  return aml.device(slotName(slot), aml.name('_ADR', slot * 0x10000), aml.name('ASUN', slot), label, children, ...plug);
}

/** Named after slot and function as one byte. */
const slotName = (slot: number): string => `S${(slot * 8).toString(16).toUpperCase().padStart(2, '0')}`;

const FIRST_PLUGGABLE = 2;
