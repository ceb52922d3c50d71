import * as aml from './aml.ts';
import type { Aml } from './aml.ts';
import { ports, resourceTemplate } from './resources.ts';

const [LOCAL0, LOCAL1, LOCAL2, LOCAL3, LOCAL4] = aml.LOCAL as [Aml, Aml, Aml, Aml, Aml];
const [ARG0, ARG1, ARG2] = aml.ARG as [Aml, Aml, Aml];
const RESOURCES = '\\_SB.PCI0.PRES';
const LOCK = `${RESOURCES}.CPLK`;
const SELECTOR = `${RESOURCES}.CSEL`;
const COMMAND = `${RESOURCES}.CCMD`;
const DATA = `${RESOURCES}.CDAT`;
const INSERTED = `${RESOURCES}.CINS`;
const REMOVED = `${RESOURCES}.CRMV`;
/** Commands of register CCMD. */
const CPU_COMMAND = { nextWithEvent: 0, ostEvent: 1, ostStatus: 2 } as const;
/** CPUs handled in one pass of a scan. */
const BATCH = 0xff;

/** Processors and their hot plug. QEMU docs/specs/acpi_cpu_hotplug.rst. */
export function cpuHotplug(cpus: number): Aml {
  const ids = Array.from({ length: cpus }, (_, id) => id);
  return [
    ...aml.scope(
      '_SB',
      hotplugResources(),
      aml.device(
        '\\_SB.CPUS',
        aml.name('_HID', aml.text('ACPI0010')),
        aml.name('_CID', aml.eisaId('PNP0A05')),
        aml.method('CTFY', 2, ...ids.map((id) => aml.when(aml.equal(ARG0, id), aml.notify(cpuName(id), ARG1)))),
        status(),
        eject(),
        scan(cpus),
        ospmStatus(),
        ...ids.map(cpu),
      ),
    ),
    ...aml.method('\\_GPE._E02', 0, aml.call('\\_SB.CPUS.CSCN')),
  ];
}

function hotplugResources(): Aml {
  const flags = aml.FIELD.byte | aml.FIELD.writeAsZeros;
  return aml.device(
    RESOURCES,
    aml.name('_HID', aml.eisaId('PNP0A06')),
    aml.name('_UID', aml.text('CPU Hotplug resources')),
    aml.mutex('CPLK'),
    aml.name('_CRS', resourceTemplate(ports(0xaf00, 1, 0x0c))),
    aml.region('PRST', aml.SPACE.io, 0xaf00, 0x0c),
    aml.field(
      'PRST',
      flags,
      ['', 32],
      ['CPEN', 1],
      ['CINS', 1],
      ['CRMV', 1],
      ['CEJ0', 1],
      ['CEJF', 1],
      ['', 3],
      ['CCMD', 8],
    ),
    aml.field('PRST', aml.FIELD.dword, ['CSEL', 32], ['', 32], ['CDAT', 32]),
    aml.serialized('_INI', 0, aml.store(0, 'CSEL')),
  );
}

function status(): Aml {
  return aml.serialized(
    'CSTA',
    1,
    aml.acquire(LOCK),
    aml.store(ARG0, SELECTOR),
    aml.store(0, LOCAL0),
    aml.when(aml.equal(`${RESOURCES}.CPEN`, 1), aml.store(0x0f, LOCAL0)),
    aml.release(LOCK),
    aml.give(LOCAL0),
  );
}

function eject(): Aml {
  return aml.serialized(
    'CEJ0',
    1,
    aml.acquire(LOCK),
    aml.store(ARG0, SELECTOR),
    aml.store(1, `${RESOURCES}.CEJ0`),
    aml.release(LOCK),
  );
}

/** Walk the CPUs with events: note the inserted ones, report the removed ones, then report the insertions. */
function scan(cpus: number): Aml {
  return aml.serialized(
    'CSCN',
    0,
    aml.acquire(LOCK),
    aml.name('CNEW', aml.packageOf([], BATCH)),
    aml.store(0, LOCAL3),
    aml.store(1, LOCAL4),
    aml.loop(
      aml.equal(LOCAL4, 1),
      aml.store(0, LOCAL4),
      aml.store(1, LOCAL0),
      aml.store(0, LOCAL1),
      collectEvents(cpus),
      aml.store(0, LOCAL2),
      reportInserted(),
    ),
    aml.release(LOCK),
  );
}

function collectEvents(cpus: number): Aml {
  return aml.loop(
    aml.bothTrue(aml.equal(LOCAL0, 1), aml.less(LOCAL3, cpus)),
    aml.store(0, LOCAL0),
    aml.store(LOCAL3, SELECTOR),
    aml.store(CPU_COMMAND.nextWithEvent, COMMAND),
    aml.when(aml.less(DATA, LOCAL3), aml.leave),
    aml.when(aml.equal(LOCAL1, BATCH), aml.store(1, LOCAL4), aml.leave),
    aml.store(DATA, LOCAL3),
    aml.when(
      aml.equal(INSERTED, 1),
      aml.store(LOCAL3, aml.index('CNEW', LOCAL1)),
      aml.increment(LOCAL1),
      aml.store(1, LOCAL0),
    ),
    aml.otherwise(
      aml.when(aml.equal(REMOVED, 1), aml.call('CTFY', LOCAL3, 3), aml.store(1, REMOVED), aml.store(1, LOCAL0)),
    ),
    aml.increment(LOCAL3),
  );
}

function reportInserted(): Aml {
  return aml.loop(
    aml.less(LOCAL2, LOCAL1),
    aml.store(aml.derefOf(aml.index('CNEW', LOCAL2)), LOCAL3),
    aml.call('CTFY', LOCAL3, 1),
    aml.store(LOCAL3, aml.DEBUG),
    aml.store(LOCAL3, SELECTOR),
    aml.store(1, INSERTED),
    aml.increment(LOCAL2),
  );
}

function ospmStatus(): Aml {
  return aml.serialized(
    'COST',
    4,
    aml.acquire(LOCK),
    aml.store(ARG0, SELECTOR),
    aml.store(CPU_COMMAND.ostEvent, COMMAND),
    aml.store(ARG1, DATA),
    aml.store(CPU_COMMAND.ostStatus, COMMAND),
    aml.store(ARG2, DATA),
    aml.release(LOCK),
  );
}

/** One processor: its status, its MADT entry, and for all but the first its ejection. */
function cpu(id: number): Aml {
  const eject = id === 0 ? [] : [aml.method('_EJ0', 1, aml.call('CEJ0', id))];
  return aml.processor(
    cpuName(id),
    id,
    aml.serialized('_STA', 0, aml.give(aml.call('CSTA', id))),
    aml.name('_MAT', aml.buffer([0, 8, id, id, 1, 0, 0, 0])),
    ...eject,
    aml.serialized('_OST', 3, aml.call('COST', id, ARG0, ARG1, ARG2)),
  );
}

const cpuName = (id: number): string => `C${id.toString(16).toUpperCase().padStart(3, '0')}`;
