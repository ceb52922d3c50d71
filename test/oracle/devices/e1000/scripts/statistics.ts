import { R, type RegisterName } from '../../../../../src/devices/e1000/registers.ts';

const NAMES: readonly RegisterName[] = [
  ...(['MPC', 'RNBC', 'RUC', 'ROC', 'PRC64', 'PRC127', 'PRC255', 'PRC511', 'PRC1023', 'PRC1522'] as const),
  ...(['GPRC', 'BPRC', 'MPRC', 'GPTC', 'GORCL', 'GORCH', 'GOTCL', 'GOTCH', 'TORL', 'TORH', 'TOTL', 'TOTH'] as const),
  ...(['TPR', 'TPT', 'PTC64', 'PTC127', 'PTC255', 'PTC511', 'PTC1023', 'PTC1522', 'MPTC', 'BPTC', 'TSCTC'] as const),
];

/** Registers that count packets. */
export const STATISTICS: Readonly<Record<string, number>> = Object.fromEntries(NAMES.map((name) => [name, R[name]]));
