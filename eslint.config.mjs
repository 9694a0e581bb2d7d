import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

const BROWSER = [
  ...["AbortController", "AbortSignal", "Event", "TextDecoder", "URLSearchParams"],
  ...[
    "addEventListener",
    "removeEventListener",
    "setTimeout",
    "clearTimeout",
    "setInterval",
    "clearInterval",
  ],
  ...["document", "fetch", "history", "localStorage", "location", "navigator", "scrollTo"],
];

export default defineConfig(
  { ignores: ["**/dist/", "**/.next/", ".data/", "docs/examples/*.ts", "eslint.config.mjs"] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/consistent-type-definitions": ["error", "type"],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      eqeqeq: "error",
      "no-console": "error",
      // Prettier breaks lines where this rule would not.
      "no-unexpected-multiline": "off",
    },
  },
  {
    // Programs that run as they are written: of somebody who has the package, and of the build.
    files: ["docs/examples/*.mjs", "test/**/*.mjs", "rollup.config.mjs"],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { "no-console": "off" },
    languageOptions: {
      globals: Object.fromEntries(
        [
          "console",
          "fetch",
          "process",
          "setTimeout",
          "clearTimeout",
          "Request",
          "URL",
          "URLSearchParams",
        ].map((name) => [name, "readonly"]),
      ),
    },
  },
  {
    // Apps of their own, which check their types when they are built.
    files: ["docs/examples/*/**"],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { "@typescript-eslint/no-non-null-assertion": "off" },
  },
  {
    // Pages run as they are written: no types, and a browser around them.
    files: ["src/web/**/*.js"],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: Object.fromEntries(BROWSER.map((name) => [name, "readonly"])) },
  },
);
