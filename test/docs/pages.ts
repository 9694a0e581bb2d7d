import { printErrors } from "./errors-page";
import { printEvents } from "./events-page";
import { printSettings } from "./settings-page";

/** A page of docs/ that is printed from a table in the code. */
type Page = { file: string; print: () => string };

/** Every printed page. To add one, write the function that prints it. */
export const PAGES: readonly Page[] = [
  { file: "docs/errors.md", print: printErrors },
  { file: "docs/events.md", print: printEvents },
  { file: "docs/settings.md", print: printSettings },
];
