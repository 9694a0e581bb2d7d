import { writeFileSync } from "node:fs";
import { PAGES } from "./pages";

for (const { file, print } of PAGES) writeFileSync(file, print());
