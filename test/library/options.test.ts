import ts from "typescript";
import { readComments } from "../docs/comments";

/** CurfewOptions as the package has it: what an app's editor shows of each option, and of the members of those that have some. */
function readShown(): Map<string, string> {
  const file = "dist/settings/options.d.ts";
  const program = ts.createProgram([file], {
    module: ts.ModuleKind.NodeNext,
    strict: true,
    skipLibCheck: true,
  });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  const options = module?.exports?.get(ts.escapeLeadingUnderscores("CurfewOptions"));
  const shown = new Map<string, string>();

  function add(type: ts.Type, prefix: string): void {
    for (const property of checker.getPropertiesOfType(type)) {
      const path = `${prefix}${property.name}`;
      const comment = ts.displayPartsToString(property.getDocumentationComment(checker));
      shown.set(path, comment.replaceAll(/\s+/g, " "));
      const isGroup = ["cookies", "rateLimits"].includes(path);
      const objects = checker.getNonNullableType(checker.getTypeOfSymbol(property));
      const parts = objects.isUnion() ? objects.types : [objects];
      if (isGroup)
        for (const part of parts.filter(({ flags }) => flags & ts.TypeFlags.Object)) add(part, `${path}.`);
    }
  }
  if (options) add(checker.getDeclaredTypeOfSymbol(options), "");
  return shown;
}

it("an app's editor shows of every option what stands above it in the table", () => {
  const comments = readComments("src/settings/table.ts", "TABLE");
  const shown = readShown();
  expect([...shown.keys()]).toEqual(
    expect.arrayContaining(["redis", "timeoutMs", "cookies.secure", "rateLimits.login"]),
  );
  for (const [path, comment] of shown) expect([path, comment]).toEqual([path, comments.get(path)]);
});
