/** Packages of CommonJS that are not bundled. */
import { createRequire } from 'node:module';
import type { Plugin } from 'esbuild';

const NAMES = ['iced-x86', 'commander', 'yaml', 'jsonc-parser', 'seedrandom'];

/**
 * Have them required. Where they are imported, Node reads all their text beforehand for what they may export, which
 * takes longer than the packages themselves: of iced-x86 it is a megabyte.
 */
export const requiredAtOnce: Plugin = {
  name: 'required at once',
  setup({ onResolve, onLoad }) {
    const isOne = new RegExp(`^(${NAMES.join('|')})$`);
    onResolve({ filter: isOne }, ({ path }) => ({ path, namespace: "required", sideEffects: false }));
    onLoad({ filter: /./, namespace: 'required' }, ({ path }) => ({
      contents: [
        `import { createRequire } from 'node:module';`,
        `const made = createRequire(import.meta.url)(${JSON.stringify(path)});`,
        'export default made;',
        `export const { ${namesOf(path).join(', ')} } = made;`,
      ].join('\n'),
    }));
  },
};

function namesOf(path: string): readonly string[] {
  const made: object = createRequire(import.meta.url)(path);
  return Object.keys(made).filter((name) => /^[A-Za-z_$][\w$]*$/.test(name) && !/^(default|__)/.test(name));
}
