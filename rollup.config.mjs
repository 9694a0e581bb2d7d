/** Makes one small ES module of src/browser: what apps import as `curfew/browser`, and pages from `/curfew.js`. */
import { dirname, resolve } from "node:path";
import { minify } from "terser";
import ts from "typescript";

const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 };

const typescript = {
  name: "typescript",
  resolveId: (name, importer) => importer && resolve(dirname(importer), name.replace(/\.js$/, ".ts")),
  transform: (text) => ts.transpileModule(text, { compilerOptions }).outputText,
};

const small = {
  name: "small",
  renderChunk: (text) => minify(text, { module: true, ecma: 2022, compress: { passes: 2 } }),
  generateBundle() {
    // The package is CommonJS; only this folder isn't.
    this.emitFile({ type: "asset", fileName: "package.json", source: '{"type":"module"}\n' });
  },
};

export default {
  input: "src/browser/client.ts",
  output: { dir: "dist/browser", entryFileNames: "curfew.js" },
  plugins: [typescript, small],
};
