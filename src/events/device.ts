import { fact, hex } from './schema.ts';
import { hexBytes } from './symbols.ts';

/** Who asked for a reset where it was a processor that shut down: by of `sim:reset_asked`, `sim:guest_panicked`. */
export const TRIPLE_FAULT = 'triple fault';

/** What devices and the board do that QEMU does not trace. Accesses themselves are memory_region_ops_*. */
export const DEVICE_FACTS = {
  /** An output pin changed its level. */
  'sim:irq_line': fact({ dev: 'text', pin: 'text', level: 'u' }, (e) => `dev ${e.dev} pin ${e.pin} level ${e.level}`),
  /** A read that changes what it reads, before its consequences; memory_region_ops_read tells the value after them. */
  'sim:register_taken': fact(
    { dev: 'text', region: 'u', offset: 'u', size: 'u' },
    (e) => `dev ${e.dev} region ${e.region} offset 0x${hex(e.offset)} size ${e.size}`,
  ),
  'sim:device_reset': fact({ dev: 'text' }, (e) => `dev ${e.dev}`),
  /** A thread hands a signal of an eventfd to its device. */
  'sim:device_notified': fact({ dev: 'text', id: 'u' }, (e) => `dev ${e.dev} id ${e.id}`),
  /** What a device read of guest memory in one transaction, one read behind the other: it decides by that. */
  'sim:dma_gathered': fact({ dev: 'text', bytes: 'bytes' }, (e) => `dev ${e.dev} ${e.bytes.length} bytes`),
  /** Bytes a device wrote to guest memory, or read from it without deciding by them: dir is 'write' or 'read'. */
  'sim:dma': fact(
    { dev: 'text', dir: 'text', gpa: 'u', len: 'u', digest: 'text' },
    (e) => `dev ${e.dev} ${e.dir} gpa 0x${hex(e.gpa)} len ${e.len} digest ${e.digest}`,
  ),

  /** Bytes a device keeps from now on. */
  'sim:device_data': fact(
    { dev: 'text', offset: 'u', bytes: 'bytes' },
    (e) => `dev ${e.dev} offset 0x${hex(e.offset)} ${e.bytes.length} bytes`,
  ),
  /** An interrupt of a PCI function waits because it is masked; pending false: no longer. */
  'sim:msi_pending': fact(
    { dev: 'text', vector: 'u', pending: 'bool' },
    (e) => `dev ${e.dev} vector ${e.vector} pending ${Number(e.pending)}`,
  ),
  /** A vector of MSI-X as an MSI route of KVM: bound to its eventfd or not; used false: it has none any more. */
  'sim:msi_route': fact(
    {
      ...{ dev: 'text', vector: 'u', gsi: 'u', fd: 'i' },
      ...{ address: 'u64', data: 'u', bound: 'bool', used: 'bool' },
    },
    (e) =>
      `dev ${e.dev} vector ${e.vector} gsi ${e.gsi} fd ${e.fd} address 0x${hex(e.address)} data 0x${hex(e.data)} ` +
      `bound ${Number(e.bound)} used ${Number(e.used)}`,
  ),

  'sim:serial_sent': fact({ line: 'u', byte: 'u' }, (e) => `line ${e.line} byte 0x${hex(e.byte)}`),
  /** A byte sent in loopback comes back. */
  'sim:serial_looped': fact({ line: 'u', byte: 'u' }, (e) => `line ${e.line} byte 0x${hex(e.byte)}`),
  /** The receiver takes the first byte that waits on the wire. */
  'sim:serial_accepted': fact({ line: 'u', byte: 'u' }, (e) => `line ${e.line} byte 0x${hex(e.byte)}`),
  /** A device with a `chardev` prints. */
  'sim:chardev_sent': fact({ dev: 'text', bytes: 'bytes' }, (e) => `dev ${e.dev} ${hexBytes(e.bytes)}`),
  /** The keyboard controller fills its output buffer. source: 'own', 'keyboard' or 'mouse'. */
  'sim:kbc_filled': fact({ source: 'text' }, (e) => e.source),
  /** The clock's registers show this time, encoded as register B `mode` has it. */
  'sim:rtc_time': fact({ seconds: 'i', mode: 'u' }, (e) => `${e.seconds} s mode 0x${hex(e.mode)}`),
  /** The clock counts on from this time. */
  'sim:rtc_set': fact(
    { base_seconds: 'i', set_at: 'u', phase: 'u' },
    (e) => `${e.base_seconds} s at ${e.set_at} ns phase ${e.phase} ns`,
  ),
  'sim:rtc_alarm': fact({ alarm_at: 'u' }, (e) => `at ${e.alarm_at} ns`),
  /** The update-in-progress bit was read as set, and stays until the update. */
  'sim:rtc_uip': fact({}, () => ''),
  /** The update cycle is over. alarm: the time has come to that of the alarm. */
  'sim:rtc_update_ended': fact({ alarm: 'bool' }, (e) => `alarm ${Number(e.alarm)}`),
  /** The main counter stands at `counter` at `since`. */
  'sim:hpet_counter': fact({ counter: 'u64', since: 'u' }, (e) => `0x${hex(e.counter)} at ${e.since} ns`),
  /** A comparator matched; `comparator`: where it stands for the next match. */
  'sim:hpet_match': fact({ timer: 'u', comparator: 'u64' }, (e) => `timer ${e.timer} next 0x${hex(e.comparator)}`),
  /** The PM timer reached the count that sets TMR_STS. */
  'sim:pm_timer_status': fact({}, () => ''),
  /** TMR_STS is set next at this count of the PM timer. */
  'sim:pm_overflow': fact({ count: 'u' }, (e) => `count ${e.count}`),
  /** Where a DMA transfer left the selector. */
  'sim:fw_cfg_dma': fact({ key: 'i', offset: 'u' }, (e) => `key ${e.key} offset ${e.offset}`),

  /** Somebody asked for a reset, which waits until the access that asked is over. */
  'sim:reset_asked': fact({ by: 'text' }, (e) => `by ${e.by}`),
  'sim:reset': fact({ by: 'text' }, (e) => `by ${e.by}`),
  /** The guest wants to sleep with its memory kept (S3), once the access that asked is over. */
  'sim:suspend_asked': fact({}, () => ''),
  /** No processor runs until something wakes the machine. */
  'sim:suspended': fact({}, () => ''),
  /** Something that may wakes the machine: 'rtc', 'pm-timer' or 'other'. */
  'sim:wakeup_asked': fact({ by: 'text' }, (e) => `by ${e.by}`),
  /** Nothing happens any more until somebody lets the machine go on. why: 'io-error'. */
  'sim:machine_stopped': fact({ why: 'text', drive: 'text' }, (e) => `${e.why} drive ${e.drive}`),
  'sim:machine_continued': fact({}, () => ''),
  'sim:woken': fact({ by: 'text' }, (e) => `by ${e.by}`),
  /** PM1 status tells what woke the machine. */
  'sim:pm_woken': fact({ status: 'u' }, (e) => `status 0x${hex(e.status)}`),
  /**
   * An eventfd that KVM signals for a device's register, by the device's number of it, and the thread that polls it;
   * assigned false: no longer signalled. match -1: any value.
   */
  'sim:eventfd_bound': fact(
    { dev: 'text', id: 'u', thread: 'u', fd: 'i', addr: 'u', size: 'u', pio: 'bool', match: 'i', assigned: 'bool' },
    (e) =>
      `dev ${e.dev} id ${e.id} thread ${e.thread} fd ${e.fd} addr 0x${hex(e.addr)} size ${e.size}` +
      `${e.pio ? ' ports' : ''} match ${e.match} assigned ${Number(e.assigned)}`,
  ),
} as const;
