import { readFileSync } from "node:fs";
import ts from "typescript";

/** The comment above each row of a table, an object literal that is exported under this name: by path, `row` or `group.row`. */
export function readComments(file: string, table: string): Map<string, string> {
  const comments = new Map<string, string>();

  function visit(node: ts.Node, path: string): void {
    if (ts.isVariableDeclaration(node) && node.name.getText() !== table) return;
    const inside = ts.isPropertyAssignment(node) ? pathOf(node, path) : path;
    if (ts.isPropertyAssignment(node) && ts.getJSDocCommentsAndTags(node).length > 0) {
      comments.set(inside, textOf(node));
    }
    ts.forEachChild(node, (child) => {
      visit(child, inside);
    });
  }

  visit(ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true), "");
  return comments;
}

/** `members` of a group isn't part of a row's name. */
function pathOf({ name }: ts.PropertyAssignment, path: string): string {
  if (name.getText() === "members") return path;
  return path === "" ? name.getText() : `${path}.${name.getText()}`;
}

const textOf = (node: ts.Node) =>
  ts
    .getJSDocCommentsAndTags(node)
    .map(({ comment }) => ts.getTextOfJSDocComment(comment) ?? "")
    .join(" ")
    .replaceAll(/\s+/g, " ");
