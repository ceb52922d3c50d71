import { SECTOR } from '../../base/units.ts';
import { TRIPLE_FAULT } from '../../events/device.ts';
import { hex } from '../../events/schema.ts';
import { EXIT_REASON } from '../../x86/controls.ts';
import { EXIT } from '../../x86/exit-reasons.ts';
import { errnoName } from '../../base/errno.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import type { Stamped } from '../../events/stamped.ts';
import { GUEST_FAILED } from '../../reducers/run.ts';
import type { Ending } from '../../reducers/state.ts';
import type { SessionEnd } from './session.ts';

/** A request to a drive that failed, as the beginning of a sentence. */
function failureText({ drive, op, offset, errno }: EventOf<'sim:disk_error'>): string {
  const where = op === 'flush' ? 'a flush' : `a ${op} at sector ${Math.floor(offset / SECTOR)}`;
  return `Drive ${drive}: ${where} failed with ${errnoName(errno)}`;
}

/** Resets after triple faults that are told of. */
const TOLD_OF = 3;

/** A reader of a run that knows what a person is to be told of its course. */
export class Course {
  exits = 0;
  private panicked: string | undefined;
  /** Where a processor shut down because it could not deliver an exception. */
  private tripleFault: string | undefined;
  private tripleFaults = 0;
  private notices: string[] = [];

  next({ event, tick }: Stamped): void {
    if (event.kind === 'kvm_exit') {
      this.exits += 1;
      if ((event.exit_reason & EXIT_REASON.BASIC) !== EXIT.TRIPLE_FAULT) return;
      this.tripleFault = `vCPU ${event.vcpu_id} met a triple fault at rip 0x${hex(event.guest_rip)}, tick ${tick}`;
    } else if (event.kind === 'sim:disk_error') this.noticeError(event);
    else if (event.kind === 'sim:guest_panicked') this.panicked = event.by;
    else if (event.kind === 'sim:reset' && event.by === TRIPLE_FAULT) this.noticeReset();
  }

  /** A machine that stops for a drive says so each time. */
  private noticeError(error: EventOf<'sim:disk_error'>): void {
    if (error.action === 'stop') this.notices.push(`${failureText(error)}: the machine has stopped.`);
  }

  /** A kernel that cannot start is started for ever: a person is told so once. */
  private noticeReset(): void {
    this.tripleFaults += 1;
    if (this.tripleFaults > TOLD_OF) return;
    const last =
      this.tripleFaults === TOLD_OF ? '; later ones are not told of, and -no-reboot ends the run instead' : '';
    this.notices.push(`${this.tripleFault}: the machine resets${last}.`);
  }

  /** What a person is to be told while the run goes on, since the last time. */
  takeNotices(): readonly string[] {
    return this.notices.splice(0);
  }

  /** How the process ends that ran it. */
  end({ why, status }: Ending, ticks: number): SessionEnd {
    if (this.panicked === TRIPLE_FAULT) {
      return {
        status: GUEST_FAILED,
        sentence: `${this.tripleFault}: an exception whose handler could not be entered.`,
      };
    }
    if (this.panicked !== undefined) {
      return { status: GUEST_FAILED, sentence: `The guest cannot go on at tick ${ticks}: ${this.panicked}.` };
    }
    if (why === 'power-lost') return { status, sentence: `The power was lost at tick ${ticks}, as asked.` };
    return why === 'powered-off' ? { status: 0 } : { status };
  }
}
