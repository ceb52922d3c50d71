/** Places where one small change of the sources makes them wrong, found by the compiler's own syntax trees. */
import { join } from 'node:path';
import * as ast from 'typescript/unstable/ast';
import * as is from 'typescript/unstable/ast/is';
import { API, type Checker } from 'typescript/unstable/sync';

/** What of the sources is changed: what evolves the state, or what raises facts. */
export type Kind = 'evolve' | 'raise';

/** One change of one file: the text from `from` to `to` becomes `text`. */
export interface Site {
  readonly kind: Kind;
  /** Relative to the root. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The function or row it lies in. */
  readonly within: string;
  readonly operator: string;
  readonly from: number;
  readonly to: number;
  readonly old: string;
  readonly text: string;
}

/** Code that only `evolve` calls. */
const EVOLVING = [
  /^src\/reducers\/(table\/.*|run)\.ts$/,
  /^src\/(kvm|vmm)\/evolve\/.*\.ts$/,
  /^src\/devices\/[^/]+\/evolve\.ts$/,
  /^src\/devices\/i8042\/(keyboard|mouse)\.ts$/,
  /^src\/events\/timers\.ts$/,
];
/** Files that hold a reducer beside the device it belongs to. */
const HOLDING_REDUCERS = /^src\/(devices\/[^/]+\/index|devices\/acpi-hotplug\/[a-z]+|devices\/pci\/function)\.ts$/;
/** Functions of those files that only the reducers call. */
const REDUCING = /_REDUCER\b|^(writeMemory|withBytes|start|count|writeBusMaster)$/;
const REDUCING_PCI = /^(configWritten|resetConfig|putConfig|writableBits|barMask)$/;

/** The engine raises nothing; a run's readers and what reads traces only hear. */
const RAISING = /^src\/(kvm|vmm|devices|machine|events)\//;

interface Finding {
  readonly checker: Checker;
  readonly source: ast.SourceFile;
  readonly file: string;
  readonly sites: Site[];
  readonly kind: Kind;
}

/** Every site of the sources below a root. */
export function sitesOf(root: string): Site[] {
  const api = new API({ cwd: root });
  try {
    const project = api.updateSnapshot({ openProject: join(root, 'tsconfig.build.json') }).getProjects()[0];
    if (project === undefined) throw new Error('tsconfig.build.json opens no project.');
    const sites: Site[] = [];
    for (const path of project.program.getSourceFileNames()) {
      const file = path.slice(root.length + 1);
      const source = project.program.getSourceFile(path);
      if (source === undefined || !file.startsWith('src/')) continue;
      const finding = { checker: project.checker, source, file, sites };
      if (EVOLVING.some((pattern) => pattern.test(file))) evolving({ ...finding, kind: 'evolve' }, () => true);
      else if (HOLDING_REDUCERS.test(file)) {
        const pattern = file === 'src/devices/pci/function.ts' ? REDUCING_PCI : REDUCING;
        evolving({ ...finding, kind: 'evolve' }, (name) => pattern.test(name));
      }
      if (RAISING.test(file)) raising({ ...finding, kind: 'raise' });
    }
    return sites;
  } finally {
    api.close();
  }
}

const startOf = ({ source }: Finding, node: ast.Node): number => ast.getTokenPosOfNode(node, source);
const textOf = (finding: Finding, node: ast.Node): string =>
  finding.source.text.slice(startOf(finding, node), node.end);

function add(finding: Finding, node: ast.Node, within: string, operator: string, text: string): void {
  const from = startOf(finding, node);
  const { source, kind, file, sites } = finding;
  const line = source.text.slice(0, from).split('\n').length;
  const column = from - (source.text.lastIndexOf('\n', from - 1) + 1);
  sites.push({ kind, file, line, column, within, operator, from, to: node.end, old: textOf(finding, node), text });
}

/** The name of what a node lies in, as far out as there is one below the file. */
function nameAt(finding: Finding, node: ast.Node, around: string): string {
  if (is.isFunctionDeclaration(node) || is.isMethodDeclaration(node) || is.isVariableDeclaration(node)) {
    return node.name === undefined ? around : join2(around, textOf(finding, node.name));
  }
  return is.isPropertyAssignment(node) && around !== '' ? join2(around, textOf(finding, node.name)) : around;
}

const join2 = (around: string, name: string): string => (around === '' ? name : `${around}.${name}`);

const isTypeOnly = (node: ast.Node): boolean =>
  is.isTypeNode(node) ||
  is.isImportDeclaration(node) ||
  is.isExportDeclaration(node) ||
  is.isInterfaceDeclaration(node) ||
  is.isTypeAliasDeclaration(node);

function evolving(finding: Finding, wanted: (within: string) => boolean): void {
  const visit = (node: ast.Node, around: string): void => {
    if (isTypeOnly(node)) return;
    const within = nameAt(finding, node, around);
    if (within !== '' && wanted(within)) mutate(finding, node, within);
    node.forEachChild((child) => visit(child, within));
  };
  visit(finding.source, '');
}

const SWAPPED: Readonly<Record<string, string>> = {
  '===': '!==',
  '!==': '===',
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '&&': '||',
  '||': '&&',
  '|': '&',
  '&': '|',
  '+': '-',
  '-': '+',
  '>>': '<<',
  '>>>': '<<',
  '<<': '>>>',
  '|=': '&=',
  '&=': '|=',
  '+=': '-=',
  '-=': '+=',
  '??=': '=',
  '??': '&&',
};

function mutate(finding: Finding, node: ast.Node, within: string): void {
  if (is.isExpressionStatement(node)) add(finding, node, within, 'drop statement', ';');
  if (is.isIfStatement(node)) {
    add(finding, node.expression, within, 'negate condition', `!(${textOf(finding, node.expression)})`);
  }
  if (is.isConditionalExpression(node)) {
    add(finding, node.condition, within, 'negate condition', `!(${textOf(finding, node.condition)})`);
  }
  if (is.isNumericLiteral(node)) add(finding, node, within, 'off by one', `(${textOf(finding, node)} + 1)`);
  if (is.isBigIntLiteral(node)) add(finding, node, within, 'off by one', `(${textOf(finding, node)} + 1n)`);
  if (node.kind === ast.SyntaxKind.TrueKeyword) add(finding, node, within, 'flip', 'false');
  if (node.kind === ast.SyntaxKind.FalseKeyword) add(finding, node, within, 'flip', 'true');
  if (is.isBinaryExpression(node)) {
    const operator = textOf(finding, node.operatorToken);
    const other = SWAPPED[operator];
    if (other !== undefined) add(finding, node.operatorToken, within, `${operator} to ${other}`, other);
  }
  if (is.isPropertyAccessExpression(node)) wrongField(finding, node, within);
  if (is.isCaseClause(node)) dropCase(finding, node, within);
  if (is.isCallExpression(node) && /^changes(Unless)?$/.test(textOf(finding, node.expression)))
    row(finding, node, within);
}

/** A field becomes another of its type, the next one its object has. */
function wrongField(finding: Finding, node: ast.PropertyAccessExpression, within: string): void {
  const { checker } = finding;
  const name = textOf(finding, node.name);
  const type = checker.getTypeAtLocation(node.expression);
  const properties = type === undefined ? [] : checker.getPropertiesOfType(type);
  if (properties.length < 2 || properties.length > 40) return;
  const typeOf = (symbol: (typeof properties)[number]): string => {
    const of = checker.getTypeOfSymbolAtLocation(symbol, node);
    return of === undefined ? '' : checker.typeToString(of);
  };
  const at = properties.findIndex((symbol) => symbol.name === name);
  const own = properties[at];
  if (own === undefined) return;
  const wanted = typeOf(own);
  if (!/^(number|bigint|boolean|string|number\[\]|Draft<.*>)$/.test(wanted)) return;
  const others = [...properties.slice(at + 1), ...properties.slice(0, at)];
  const other = others.find((symbol) => typeOf(symbol) === wanted);
  if (other !== undefined) add(finding, node.name, within, 'wrong field', other.name);
}

/** A case that is not known any more. */
function dropCase(finding: Finding, node: ast.CaseClause, within: string): void {
  add(finding, node.expression, within, 'drop case', '-12345 as never');
}

/** A row without one of its steps, or without one of its owners. */
function row(finding: Finding, call: ast.CallExpression, within: string): void {
  const first = textOf(finding, call.expression) === 'changes' ? 0 : 1;
  const args = [...call.arguments];
  args.slice(first + 1).forEach((step) => add(finding, step, within, 'drop step', '() => undefined'));
  const owners = args[first];
  if (owners === undefined || !is.isArrayLiteralExpression(owners)) return;
  for (const owner of owners.elements) add(finding, owner, within, 'drop owner', '...([] as const)');
}

/** Calls that raise facts: without them, with a field changed, or with their guard turned round. */
function raising(finding: Finding): void {
  const visit = (node: ast.Node, around: string, guard: ast.Expression | undefined): void => {
    if (isTypeOnly(node)) return;
    const within = nameAt(finding, node, around);
    const isRaise = is.isCallExpression(node) && isRaising(finding, node);
    if (isRaise) {
      add(finding, node, within, 'drop raise', is.isExpressionStatement(node.parent) ? 'void 0' : '(-1)');
      if (guard !== undefined) add(finding, guard, within, 'negate guard', `!(${textOf(finding, guard)})`);
      fields(finding, node, within);
    }
    const guards = is.isIfStatement(node) ? node.expression : guard;
    node.forEachChild((child) => visit(child, within, is.isFunctionDeclaration(node) ? undefined : guards));
  };
  visit(finding.source, '', undefined);
}

const isRaising = (finding: Finding, { expression }: ast.CallExpression): boolean =>
  is.isPropertyAccessExpression(expression) && textOf(finding, expression.name) === 'raise';

/** Each field of the fact that is raised with another value. */
function fields(finding: Finding, call: ast.CallExpression, within: string): void {
  const [fact] = call.arguments;
  if (fact === undefined || !is.isObjectLiteralExpression(fact)) return;
  for (const property of fact.properties) {
    const isShort = is.isShorthandPropertyAssignment(property);
    if (!isShort && !is.isPropertyAssignment(property)) continue;
    const name = textOf(finding, property.name);
    const value = isShort ? name : textOf(finding, property.initializer);
    if (name === 'kind') continue;
    const type = finding.checker.getTypeAtLocation(isShort ? property.name : property.initializer);
    const other = otherValue(type === undefined ? '' : finding.checker.typeToString(type), value);
    if (other !== undefined) add(finding, property, within, `wrong ${name}`, `${name}: ${other}`);
  }
}

function otherValue(type: string, value: string): string | undefined {
  if (/^(number|-?\d+)( \| -?\d+)*$/.test(type)) return `(${value}) + 1`;
  if (/^(bigint|-?\d+n)$/.test(type)) return `(${value}) + 1n`;
  if (/^(boolean|true|false)$/.test(type)) return `!(${value})`;
  return type === 'string' ? `\`\${${value}}?\`` : undefined;
}
