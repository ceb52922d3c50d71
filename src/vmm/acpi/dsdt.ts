import * as aml from './aml.ts';
import type { Aml } from './aml.ts';
import { cpuHotplug } from './dsdt-cpus.ts';
import { isaDevices } from './dsdt-isa.ts';
import { hotplugSlots, interruptLinks, pciHotplug } from './dsdt-pci.ts';
import { fixedMemory, ports, resourceTemplate, window } from './resources.ts';

/** What the DSDT says of the machine. */
export interface DsdtOptions {
  readonly cpus: number;
  readonly serialLines: number;
  /** Where the PCI hole below 4 GiB begins: the end of low memory. */
  readonly ramBelow4g: number;
  readonly ramAbove4g: number;
}

/** The definition block of the `pc` machine: the namespace QEMU 7.2 describes, term for term. */
export function dsdtBody(options: DsdtOptions): Aml {
  return [
    debugScope(),
    aml.scope(
      '_SB',
      aml.device('PCI0', aml.name('_HID', aml.eisaId('PNP0A03')), aml.name('_ADR', 0), aml.name('_UID', 0)),
    ),
    pciHotplug(),
    interruptLinks(),
    aml.scope('_SB', hpet()),
    aml.scope('_GPE', aml.name('_HID', aml.text('ACPI0006'))),
    cpuHotplug(options.cpus),
    pciResources(options),
    sleepStates(),
    aml.scope('\\_SB.PCI0', firmwareConfiguration()),
    hotplugSlots(isaDevices(options.serialLines)),
    aml.scope('_GPE', hotplugEvent()),
  ].flat();
}

/** A method that prints through the debug port, for people who debug AML. */
function debugScope(): Aml {
  const [text, last, at] = [aml.LOCAL[0]!, aml.LOCAL[1]!, aml.LOCAL[2]!];
  return aml.scope(
    '\\',
    aml.region('DBG', aml.SPACE.io, 0x402, 1),
    aml.field('DBG', aml.FIELD.byte, ['DBGB', 8]),
    aml.method(
      'DBUG',
      1,
      aml.toHexString(aml.ARG[0]!, text),
      aml.toBuffer(text, text),
      aml.subtract(aml.sizeOf(text), 1, last),
      aml.store(0, at),
      aml.loop(aml.less(at, last), aml.store(aml.derefOf(aml.index(text, at)), 'DBGB'), aml.increment(at)),
      aml.store(0x0a, 'DBGB'),
    ),
  );
}

/** Present when the registers say so. IA-PC HPET specification, 3.2.4. */
function hpet(): Aml {
  const [vendor, period] = [aml.LOCAL[0]!, aml.LOCAL[1]!];
  return aml.device(
    'HPET',
    aml.name('_HID', aml.eisaId('PNP0103')),
    aml.name('_UID', 0),
    aml.region('HPTM', aml.SPACE.memory, aml.dword(0xfed00000), 0x400),
    aml.field('HPTM', aml.FIELD.dword | aml.FIELD.lock, ['VEND', 32], ['PRD', 32]),
    aml.method(
      '_STA',
      0,
      aml.store('VEND', vendor),
      aml.store('PRD', period),
      aml.shiftRight(vendor, 0x10, vendor),
      aml.when(aml.eitherTrue(aml.equal(vendor, 0), aml.equal(vendor, 0xffff)), aml.give(0)),
      aml.when(aml.eitherTrue(aml.equal(period, 0), aml.greater(period, 100_000_000)), aml.give(0)),
      aml.give(0x0f),
    ),
    aml.name('_CRS', resourceTemplate(fixedMemory(0xfed00000, 0x400))),
  );
}

/** What the root bridge decodes, and the ports of the two hot-plug blocks. */
function pciResources({ ramBelow4g, ramAbove4g }: DsdtOptions): Aml {
  const high = Math.ceil((2 ** 32 + ramAbove4g) / 2 ** 30) * 2 ** 30;
  return aml.scope(
    '\\_SB.PCI0',
    aml.name(
      '_CRS',
      resourceTemplate(
        window('bus', 2, 0, 0xff),
        ports(0xcf8, 1, 8),
        window('io', 2, 0, 0xcf7),
        window('io', 2, 0xd00, 0xffff),
        window('cached', 4, 0xa0000, 0xbffff),
        window('uncached', 4, ramBelow4g, 0xfebfffff),
        window('cached', 8, high, high + 2 ** 31 - 1),
      ),
    ),
    portsDevice('GPE0', 'GPE0 resources', 0xafe0, 4),
    portsDevice('PHPR', 'PCI Hotplug resources', 0xae00, 0x18),
  );
}

function portsDevice(name: string, uid: string, base: number, length: number): Aml {
  return aml.device(
    name,
    aml.name('_HID', aml.text('PNP0A06')),
    aml.name('_UID', aml.text(uid)),
    aml.name('_STA', 0x0b),
    aml.name('_CRS', resourceTemplate(ports(base, 1, length))),
  );
}

/** SLP_TYP values of the PIIX4: 1 suspends, 2 hibernates, 0 is off. */
function sleepStates(): Aml {
  return aml.scope(
    '\\',
    aml.name('_S3', aml.packageOf([1, 1, 0, 0])),
    aml.name('_S4', aml.packageOf([2, 2, 0, 0])),
    aml.name('_S5', aml.packageOf([0, 0, 0, 0])),
  );
}

function firmwareConfiguration(): Aml {
  return aml.device(
    'FWCF',
    aml.name('_HID', aml.text('QEMU0002')),
    aml.name('_STA', 0x0b),
    aml.name('_CRS', resourceTemplate(ports(0x510, 1, 0x0c))),
  );
}

function hotplugEvent(): Aml {
  const lock = '\\_SB.PCI0.BLCK';
  return aml.method('_E01', 0, aml.acquire(lock), aml.call('\\_SB.PCI0.PCNT'), aml.release(lock));
}
