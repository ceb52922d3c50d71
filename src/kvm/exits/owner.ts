import type { VmExit } from '../../x86/guest.ts';
import type { VcpuState } from '../state.ts';

/** Whose exit it is: L0's is handled here. */
export type ExitOwner = 'L0';

/** Linux nested_vmx_reflect_vmexit: no guest of a guest runs, so none is reflected. */
export const exitOwner = (_vcpu: VcpuState, _exit: VmExit): ExitOwner => 'L0';
