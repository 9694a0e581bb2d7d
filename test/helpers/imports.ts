import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import ts from "typescript";

/** One import: of a package or, as a path below src without its ending, of a file. `isType`: it is gone when compiled. */
export type Import = { target: string; isFile: boolean; isType: boolean };

export type Source = { file: string; imports: Import[]; readsEnv: boolean };

/** Every source file below src, and what it imports. */
export function readSources(): Source[] {
  return readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => readSource(path.replaceAll("\\", "/"), readFileSync(join("src", path), "utf8")));
}

export function readSource(fileName: string, text: string): Source {
  const file = fileName.replace(/\.ts$/, "");
  const source: Source = { file, imports: [], readsEnv: false };

  function add(specifier: ts.Node | undefined, isType: boolean): void {
    // What isn't written as a string can't be judged: it is taken for a package that nobody may import.
    const name = specifier && ts.isStringLiteralLike(specifier) ? specifier.text : "a computed name";
    const isFile = name.startsWith(".");
    const target = isFile ? posix.join(posix.dirname(file), name.replace(/\.(js|ts)$/, "")) : name;
    if (/^(node:)?process$/.test(name)) source.readsEnv = true;
    source.imports.push({ target, isFile, isType });
  }

  function visit(node: ts.Node): void {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node.importClause));
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isExternalModuleReference(node)) add(node.expression, false);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && isLoading(node.expression)) add(node.arguments[0], false);
    else if (ts.isIdentifier(node) && node.text === "process" && isEnvOf(node)) source.readsEnv = true;
    ts.forEachChild(node, visit);
  }
  visit(ts.createSourceFile(fileName, text, ts.ScriptTarget.Latest, true));
  return source;
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false;
  const { namedBindings } = clause;
  const areAllTypes =
    namedBindings !== undefined &&
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.every((element) => element.isTypeOnly);
  return clause.phaseModifier === ts.SyntaxKind.TypeKeyword || (!clause.name && areAllTypes);
}

const isLoading = (called: ts.Expression) =>
  called.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(called) && called.text === "require");

/** Anything of `process` but a member that has another name: `process.env`, `process["env"]`, `const { env } = process`. */
function isEnvOf({ parent }: ts.Identifier): boolean {
  if (ts.isPropertyAccessExpression(parent)) return parent.name.text === "env";
  if (ts.isElementAccessExpression(parent)) return true;
  return ts.isVariableDeclaration(parent);
}
