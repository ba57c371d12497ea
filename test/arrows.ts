import ts from 'typescript';

/** One place where a file breaks the design. */
export interface Violation {
  file: string;
  what: string;
}

/**
 * Who may import from whom (docs/design.md §2). The longest prefix that fits a file decides. `packages` says whether
 * packages from npm and Node's own modules may be imported.
 */
const ROOMS: readonly { room: string; may: readonly string[]; packages: boolean }[] = [
  { room: 'ipa/tlv/', may: ['ipa/tlv/', 'hal/contracts/'], packages: false },
  { room: 'ipa/', may: ['ipa/', 'hal/contracts/'], packages: false },
  { room: 'hal/contracts/', may: ['hal/contracts/'], packages: false },
  { room: 'hal/modem/', may: ['hal/modem/', 'hal/contracts/'], packages: false },
  { room: 'hal/xs/', may: ['hal/xs/', 'hal/contracts/'], packages: false },
  { room: 'hal/xs/moddable/', may: ['hal/xs/', 'hal/contracts/'], packages: true },
  { room: 'hal/', may: ['hal/'], packages: true },
  {
    room: 'firmware/',
    may: ['firmware/', 'hal/contracts/', 'hal/modem/', 'hal/xs/', 'ipa/'],
    packages: true,
  },
  { room: 'host-sim/cli/', may: ['host-sim/', 'hal/', 'ipa/'], packages: true },
  { room: 'host-sim/events.ts', may: ['host-sim/', 'hal/', 'ipa/'], packages: true },
  { room: 'host-sim/', may: ['host-sim/', 'hal/'], packages: true },
  { room: 'tools/', may: ['tools/', 'host-sim/', 'hal/', 'ipa/', 'test/interop/'], packages: true },
  { room: 'test/', may: [''], packages: true },
];

/** Never, by whichever way: the simulator has its own codec. */
const NEVER: readonly { room: string; not: string }[] = [{ room: 'host-sim/', not: 'ipa/tlv/' }];

/** What runs on the device. */
const DEVICE = ['ipa/', 'hal/contracts/', 'hal/modem/', 'hal/xs/', 'firmware/'];
/** It is what starts the rest. */
const ROOT = 'firmware/main.ts';

export function isDeviceCode(file: string): boolean {
  // Declarations run nowhere.
  if (file === ROOT || file.endsWith('.d.ts')) return false;
  return DEVICE.some((room) => file.startsWith(room));
}

/** Imports of a file, as written: static, re-exported, dynamic, required, of types. */
export function importsOf(source: string): string[] {
  return ts.preProcessFile(source, true, true).importedFiles.map((imported) => imported.fileName);
}

/** @param file path from the top of the repository, with `/` */
export function checkImports(file: string, source: string): Violation[] {
  const violations: Violation[] = [];
  const refuse = (what: string) => violations.push({ file, what });
  const rules = ROOMS.filter(({ room }) => file.startsWith(room)).sort(
    (a, b) => b.room.length - a.room.length,
  );
  if (rules.length === 0) {
    refuse('is in no room of docs/design.md §2');
    return violations;
  }
  const [rule] = rules;
  for (const specifier of importsOf(source)) {
    if (!specifier.startsWith('.')) {
      if (!rule.packages) refuse(`imports the package ${specifier}`);
      continue;
    }
    const target = resolve(file, specifier);
    const forbidden = NEVER.some(({ room, not }) => file.startsWith(room) && target.startsWith(not));
    if (forbidden || !rule.may.some((room) => target.startsWith(room))) refuse(`imports ${target}`);
  }
  if (file === 'host-sim/events.ts') checkTypesOnly(file, source, refuse);
  return violations;
}

/** host-sim/events.ts may know the IPA's types and no more. */
function checkTypesOnly(file: string, source: string, refuse: (what: string) => void): void {
  for (const statement of parse(file, source).statements) {
    let specifier: ts.Expression | undefined;
    let typesOnly = false;
    if (ts.isImportDeclaration(statement)) {
      specifier = statement.moduleSpecifier;
      typesOnly = statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
    } else if (ts.isExportDeclaration(statement)) {
      specifier = statement.moduleSpecifier;
      typesOnly = statement.isTypeOnly;
    }
    if (!specifier || !ts.isStringLiteral(specifier) || typesOnly) continue;
    const target = resolve(file, specifier.text);
    if (target.startsWith('ipa/')) refuse(`imports more than types from ${target}`);
  }
}

function resolve(file: string, specifier: string): string {
  const parts = file.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function parse(file: string, source: string): ts.SourceFile {
  return ts.createSourceFile(file, source, ts.ScriptTarget.ES2022, true);
}

/** Names that exist on Node or in a browser and not on the device (ES2022 is all there is). */
const PLATFORM_GLOBALS = new Set(
  (
    'setTimeout clearTimeout setInterval clearInterval setImmediate clearImmediate queueMicrotask console Buffer ' +
    'process global globalThis window self require module __dirname __filename TextEncoder TextDecoder URL ' +
    'URLSearchParams crypto fetch performance structuredClone AbortController AbortSignal Event EventTarget atob btoa ' +
    'Intl WebAssembly navigator Worker MessageChannel Blob ReadableStream trace'
  ).split(' '),
);

/** What the engine cannot take: work while a module is loaded (it is preloaded into flash) and names it does not have. */
export function checkDeviceCode(file: string, source: string): Violation[] {
  const tree = parse(file, source);
  const violations: Violation[] = [];
  const refuse = (node: ts.Node, what: string) => {
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
    violations.push({ file: `${file}:${line + 1}`, what });
  };
  checkModuleLevel(tree, refuse);
  checkNames(tree, refuse);
  return violations;
}

type Refuse = (node: ts.Node, what: string) => void;

/** Everything that is run on loading: all but what stands in functions, and in instance fields, which run in `new`. */
function checkModuleLevel(node: ts.Node, refuse: Refuse): void {
  if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) {
    // `extends` clauses are type nodes too, and what a class extends is evaluated.
    if (!ts.isExpressionWithTypeArguments(node)) return;
  }
  if (ts.isCallExpression(node)) refuse(node, 'calls a function while the module is loaded');
  else if (ts.isNewExpression(node)) refuse(node, 'makes an object with new while the module is loaded');
  else if (ts.isTaggedTemplateExpression(node))
    refuse(node, 'calls a template tag while the module is loaded');
  else if (ts.isAwaitExpression(node)) refuse(node, 'waits while the module is loaded');
  else if (ts.isRegularExpressionLiteral(node))
    refuse(node, 'makes a regular expression while the module is loaded');
  else if (ts.isDecorator(node)) refuse(node, 'calls a decorator while the module is loaded');
  else if (ts.isEnumDeclaration(node)) refuse(node, 'has an enum, which is a function call');
  else if (ts.isModuleDeclaration(node)) refuse(node, 'has a namespace, which is a function call');

  ts.forEachChild(node, (child) => {
    if (ts.isFunctionLike(node) && child !== node.name) return;
    if (ts.isPropertyDeclaration(node) && !isStatic(node) && child === node.initializer) return;
    checkModuleLevel(child, refuse);
  });
}

function isStatic(node: ts.PropertyDeclaration): boolean {
  return node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword) ?? false;
}

function checkNames(tree: ts.SourceFile, refuse: Refuse): void {
  const declared = new Set<string>();
  const visit = (node: ts.Node, run: (node: ts.Node) => void): void => {
    run(node);
    ts.forEachChild(node, (child) => visit(child, run));
  };
  visit(tree, (node) => {
    const named =
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node) ||
      ts.isBindingElement(node) ||
      ts.isFunctionDeclaration(node) ||
      ts.isClassDeclaration(node) ||
      ts.isInterfaceDeclaration(node) ||
      ts.isTypeAliasDeclaration(node) ||
      ts.isImportSpecifier(node);
    // `declare` only says that a global exists.
    if (named && node.name && ts.isIdentifier(node.name) && !isAmbient(node)) declared.add(node.name.text);
  });
  visit(tree, (node) => {
    if (
      ts.isIdentifier(node) &&
      PLATFORM_GLOBALS.has(node.text) &&
      !declared.has(node.text) &&
      isReference(node)
    ) {
      refuse(node, `uses ${node.text}, which the device does not have`);
    }
    if (
      ts.isBinaryExpression(node) &&
      node.operatorToken.kind === ts.SyntaxKind.EqualsToken &&
      ts.isPropertyAccessExpression(node.left) &&
      node.left.expression.kind === ts.SyntaxKind.ThisKeyword &&
      node.left.name.text === 'name'
    ) {
      refuse(node, 'assigns this.name, which throws on the device: use a class field');
    }
  });
}

function isAmbient(node: ts.Node): boolean {
  for (let at: ts.Node | undefined = node; at; at = at.parent) {
    if (
      ts.canHaveModifiers(at) &&
      ts.getModifiers(at)?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword)
    )
      return true;
  }
  return false;
}

/** Is it a name that is looked up, and not the name of a member? */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isQualifiedName(parent)) {
    return (ts.isPropertyAccessExpression(parent) ? parent.expression : parent.left) === node;
  }
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent)) return parent.initializer === node;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  const isMember =
    ts.isPropertySignature(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isGetAccessor(parent) ||
    ts.isSetAccessor(parent) ||
    ts.isImportSpecifier(parent) ||
    ts.isExportSpecifier(parent);
  return !isMember;
}
