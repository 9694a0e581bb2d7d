/** @jest-config-loader ts-node
 *  @jest-config-loader-options {"transpileOnly": true}
 */
import type { Config } from "jest";

const config: Config = {
  testEnvironment: "node",
  roots: ["<rootDir>/test"],
  // As in ES modules, the files of src/browser name each other with their endings.
  moduleNameMapper: { "^(\\./.*)\\.js$": "$1" },
  transform: { "^.+\\.ts$": ["ts-jest", {}] },
  setupFilesAfterEnv: ["<rootDir>/test/helpers/processes.ts"],
  testTimeout: 30_000,
  // Most of the time is spent waiting, for servers and for faults.
  maxWorkers: 2,
};

export default config;
