import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { useRedis } from "../helpers/redis";
import { useService } from "../helpers/service";

const run = promisify(execFile);
const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url }));

const TSCONFIG = {
  compilerOptions: {
    ...{ strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true },
    ...{ target: "es2023", module: "nodenext", types: ["node"], skipLibCheck: true },
  },
};

/** What the compiler must not let pass; it complains of a line that expects an error and has none. */
const MISTAKES = `import createClient from "openapi-fetch";
import type { paths } from "./curfew-api.js";
const curfew = createClient<paths>();

// @ts-expect-error no password
await curfew.POST("/api/auth/login", { body: { email: "ada@example.com" } });
// @ts-expect-error neither true nor false
await curfew.POST("/api/auth/logout", { body: { all_devices: "yes" } });
// @ts-expect-error no such route
await curfew.GET("/api/auth/logout");
// @ts-expect-error a logout there answers with nothing
(await curfew.POST("/api/v1/auth/logout")).data?.message;
// @ts-expect-error no such code
if ((await curfew.GET("/api/users/me")).error?.code === "token_stolen") throw new Error();
`;

it("a client generated from the description registers, asks and logs out, and its types hold", async () => {
  const dir = mkdtempSync(join(tmpdir(), "curfew-generated-"));
  symlinkSync(resolve("node_modules"), join(dir, "node_modules"));
  writeFileSync(join(dir, "package.json"), '{"type": "module"}');
  writeFileSync(join(dir, "tsconfig.json"), JSON.stringify(TSCONFIG));
  writeFileSync(join(dir, "mistakes.ts"), MISTAKES);
  copyFileSync("docs/examples/typed-client.ts", join(dir, "typed-client.ts"));

  const tool = (name: string, ...args: string[]) =>
    run(resolve("node_modules/.bin", name), args, { cwd: dir }).catch((error: unknown) => {
      throw new Error(`${name}: ${(error as { stdout: string }).stdout}`, { cause: error });
    });
  await tool("openapi-typescript", `${service.url}/openapi.json`, "-o", "curfew-api.d.ts");
  await tool("tsc");
  const env = { ...process.env, CURFEW_URL: service.url };
  const { stdout } = await run(process.execPath, ["typed-client.js"], { cwd: dir, env });
  expect(stdout.split("\n")).toEqual([
    expect.stringMatching(/^I am [\w-]{36}, with the roles \[\]\.$/),
    "Logged out successfully",
    "Refused: logout_all_devices",
    "",
  ]);
  // The compiler and the generator take seconds on a machine that has nothing else to do.
}, 120_000);
