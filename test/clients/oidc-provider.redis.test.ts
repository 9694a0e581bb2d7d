import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { call, expectRefusal, me, register } from "../helpers/client";
import { readDeeds } from "../helpers/events";
import { decodePart } from "../helpers/jws";
import { untilTestsEnd } from "../helpers/processes";
import { freePort, useRedis } from "../helpers/redis";
import { startService, useService } from "../helpers/service";
import { use } from "../helpers/use";

type Json = Record<string, unknown>;
type SignedIn = { access_token: string; id_token: string };
/** What the provider says of its having told Curfew that somebody logged out. */
type Told = { subject: string; error?: string }[];

/** oidc-provider and its users, in a process of its own because it is a package of ES modules. */
async function startOidcProvider(port: number, curfew: string) {
  const child = untilTestsEnd(
    fork("test/clients/oidc-provider.mjs", [JSON.stringify({ port, curfew })], { stdio: "ignore" }),
  );
  const exited = once(child, "exit");
  const answered = async () => ((await once(child, "message")) as [Json])[0];
  async function ask(...message: string[]) {
    child.send(message);
    const answer = await answered();
    expect(answer).not.toHaveProperty("failed");
    return answer as unknown;
  }
  await answered();
  return {
    signIn: (who: string, browser: string) => ask("signIn", who, browser) as Promise<SignedIn>,
    signOut: (browser: string) => ask("signOut", browser) as Promise<Told>,
    async stop() {
      child.kill();
      await exited;
    },
  };
}

/** The page's entry, at the address where the provider is in this test. */
function readEntry(issuer: string): Json {
  const [, section = ""] = readFileSync("docs/providers.md", "utf8").split("## oidc-provider\n");
  const [, json = ""] = /```json\n([^]+?)```/.exec(section) ?? [];
  return JSON.parse(json.replaceAll("https://login.example.com", issuer)) as Json;
}

function writeIssuer(entry: Json): string {
  const file = join(mkdtempSync(join(tmpdir(), "curfew-issuers-")), "issuers.json");
  writeFileSync(file, JSON.stringify([entry]));
  return file;
}

const redis = useRedis();
const provider = use(async () => {
  const [port, curfewPort] = [await freePort(), await freePort()];
  const started = await startOidcProvider(port, `http://127.0.0.1:${curfewPort}`);
  return { ...started, curfewPort, entry: readEntry(`http://127.0.0.1:${port}`) };
});
const service = use(() =>
  startService({
    REDIS_URL: redis.url,
    PORT: String(provider.curfewPort),
    TRUSTED_ISSUERS_FILE: writeIssuer(provider.entry),
  }),
);
/** Another instance, which takes ID tokens too. */
const lenient = useService(() => ({
  REDIS_URL: redis.url,
  TRUSTED_ISSUERS_FILE: writeIssuer({
    ...provider.entry,
    audience: ["https://api.example.com", "web"],
    typ: ["at+jwt", null],
  }),
}));
// The epoch's own second is over, so that whatever is minted from now on is of it.
beforeAll(() => register(service.url));

const statuses = async ({ access_token, id_token }: SignedIn) => [
  (await me(service.url, access_token)).status,
  (await me(lenient.url, access_token)).status,
  (await me(lenient.url, id_token)).status,
];
const IN = [200, 200, 200];
const OUT = [401, 401, 401];

it("its users' access tokens are accepted, and their ID tokens where the entry says so", async () => {
  const tokens = await provider.signIn("ada", "laptop");
  expect((await me(service.url, tokens.access_token)).body).toMatchObject({
    id: "login:ada",
    claims: { client_id: "web", scope: "api", sid: decodePart(tokens.id_token, 1)["sid"] },
  });
  expect(await statuses(tokens)).toEqual(IN);
  expectRefusal(await me(service.url, tokens.id_token), 401, "token_invalid");
});

it("a logout there ends the tokens of that sign-in here, because the provider says so itself", async () => {
  const [laptop, phone] = [
    await provider.signIn("grace", "her laptop"),
    await provider.signIn("grace", "her phone"),
  ];
  expect([await statuses(laptop), await statuses(phone)]).toEqual([IN, IN]);
  expect(await provider.signOut("her laptop")).toEqual([{ subject: "grace" }]);
  expect([await statuses(laptop), await statuses(phone)]).toEqual([OUT, IN]);
  expectRefusal(await me(service.url, laptop.access_token), 401, "token_revoked");
  expect((await readDeeds(redis)).at(-1)).toMatchObject({
    ...{ event: "logout_at_issuer", by: "issuer:login", sub: "login:grace" },
    sid: decodePart(laptop.access_token, 1)["sid"],
  });
});

it("a logout here ends the whole sign-in, its ID token too", async () => {
  const tokens = await provider.signIn("linus", "his laptop");
  const { access_token: token } = tokens;
  expect((await call(service.url, "DELETE", "/v1/auth/session", { token })).status).toBe(200);
  expect(await statuses(tokens)).toEqual(OUT);
});

it("a logout that Redis doesn't acknowledge is a 503 to the provider", async () => {
  await provider.signIn("edsger", "his laptop");
  process.kill(redis.pid, "SIGSTOP");
  try {
    expect(await provider.signOut("his laptop")).toEqual([
      { subject: "edsger", error: expect.stringMatching(/503 Service Unavailable$/) as string },
    ]);
  } finally {
    process.kill(redis.pid, "SIGCONT");
  }
});
