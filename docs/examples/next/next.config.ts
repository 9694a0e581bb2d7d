import { join } from "node:path";
import type { NextConfig } from "next";

const config: NextConfig = {
  // Only because `curfew` is a link to a folder outside of this one.
  turbopack: { root: join(import.meta.dirname, "../../..") },
};

export default config;
