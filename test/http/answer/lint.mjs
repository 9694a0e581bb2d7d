// Prints what Redocly's recommended rules find wrong with an OpenAPI description: the errors, not the warnings.
import { readFileSync } from "node:fs";
import { createConfig, lintFromString } from "@redocly/openapi-core";

const file = process.argv[2];
const config = await createConfig({ extends: ["recommended"] });
const found = await lintFromString({ source: readFileSync(file, "utf8"), absoluteRef: file, config });
const errors = found.filter(({ severity }) => severity === "error");
console.log(
  JSON.stringify(
    errors.map(({ ruleId, message, location }) => `${ruleId}: ${message} (${location[0]?.pointer})`),
  ),
);
