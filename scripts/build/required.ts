/** Packages of CommonJS that are not bundled. */
import { createRequire } from 'node:module';
import type { Plugin } from 'esbuild';

/** What every guest needs, or every command. */
const AT_ONCE = ['iced-x86', 'commander', 'seedrandom'];
/** What few commands need, and only functions of it. */
const WHEN_CALLED = ['yaml', 'jsonc-parser'];

/**
 * Have them required. Where they are imported, Node reads all their text beforehand for what they may export, which
 * takes longer than to run them: of iced-x86 it is a megabyte.
 */
export const required: Plugin = {
  name: 'required',
  setup({ onResolve, onLoad }) {
    const filter = new RegExp(`^(${[...AT_ONCE, ...WHEN_CALLED].join('|')})$`);
    onResolve({ filter }, ({ path }) => ({ path, namespace: 'required', sideEffects: false }));
    onLoad({ filter, namespace: 'required' }, ({ path }) => ({
      contents: WHEN_CALLED.includes(path) ? whenCalled(path) : atOnce(path),
    }));
  },
};

const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;

const atOnce = (name: string): string =>
  `${REQUIRE} const made = require('${name}'); export default made; export const { ${namesOf(name).join()} } = made;`;

const whenCalled = (name: string): string =>
  [
    REQUIRE,
    ...namesOf(name).map((each) => `export const ${each} = (...all) => require('${name}').${each}(...all);`),
  ].join('\n');

function namesOf(path: string): readonly string[] {
  const made: object = createRequire(import.meta.url)(path);
  return Object.keys(made).filter((name) => /^[A-Za-z_$][\w$]*$/.test(name) && !/^(default|__)/.test(name));
}
