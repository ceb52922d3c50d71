import type { KvmState } from './state.ts';

/** The state before anybody opened /dev/kvm. */
export const newKvmState = (): KvmState => ({
  files: [],
  vm: undefined,
  vcpus: [],
  ept: { root: 0, next: 0, free: [], used: 0, tables: {} },
  timers: {},
});
