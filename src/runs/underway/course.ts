import { hex } from '../../events/schema.ts';
import type { Stamped } from '../../events/stamped.ts';
import { GUEST_FAILED } from '../../reducers/run.ts';
import type { Ending } from '../../reducers/state.ts';
import type { SessionEnd } from './session.ts';

/** Basic exit reason. SDM Vol. 3, Appendix C. */
const TRIPLE_FAULT = 2;

/** A reader of a run that knows what a person is to be told of its course. */
export class Course {
  exits = 0;
  private panicked: string | undefined;
  /** Where a processor shut down because it could not deliver an exception. */
  private tripleFault: string | undefined;

  next({ event, tick }: Stamped): void {
    if (event.kind === 'kvm_exit') {
      this.exits += 1;
      if ((event.exit_reason & 0xffff) !== TRIPLE_FAULT) return;
      this.tripleFault = `vCPU ${event.vcpu_id} met a triple fault at rip 0x${hex(event.guest_rip)}, tick ${tick}`;
    } else if (event.kind === 'sim:guest_panicked') this.panicked = event.by;
  }

  /** How the process ends that ran it. */
  end({ why, status }: Ending, ticks: number): SessionEnd {
    if (this.tripleFault !== undefined) {
      return {
        status: GUEST_FAILED,
        sentence: `${this.tripleFault}: an exception whose handler could not be entered.`,
      };
    }
    if (this.panicked !== undefined) {
      return { status: GUEST_FAILED, sentence: `The guest cannot go on at tick ${ticks}: ${this.panicked}.` };
    }
    return why === 'powered-off' ? { status: 0 } : { status };
  }
}
