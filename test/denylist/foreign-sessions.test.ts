import { createDenylist } from "../../src/denylist/denylist";
import { NOBODY, type WriteContext } from "../../src/denylist/entry";
import type { Epochs } from "../../src/denylist/past/epochs";
import type { Past } from "../../src/denylist/past/past";
import { createForeignSessions } from "../../src/denylist/foreign-sessions";
import { createRevoker } from "../../src/denylist/revoker";
import type { ScriptCall, Writer } from "../../src/denylist/writer";
import type { Redis } from "../../src/redis/redis";
import { createShards } from "../../src/redis/shards";
import type { ForeignToken } from "../../src/issuers/foreign-tokens";

const shards = createShards("curfew:", 16);
const DIGEST = `sha256-${"0".repeat(64)}`;

const TOKEN: ForeignToken = {
  kind: "foreign",
  ...{ issuer: "auth0", iss: "https://auth0.example", sub: "auth0|5f7c", jti: "j", sid: undefined },
  keyIds: { sub: DIGEST, jti: "j", sid: undefined },
  ...{ iat: 1, exp: 2, sinceEpoch: true, clockLeadSeconds: 5, maxLifetimeSeconds: 60, claims: {} },
};

/** Keeps what it is told to write. */
function keepWork() {
  const kept: { call: WriteContext; work: ScriptCall; prefix: string }[] = [];
  const writer: Pick<Writer, "revoke"> = {
    revoke(call, work, prefix = shards.prefixOf(call.sub)) {
      kept.push({ call, work, prefix });
      return Promise.resolve("done");
    },
  };
  const argsOf = (at: number) => kept[at]?.work.args("");
  return { writer: writer as Writer, kept, argsOf };
}

const NOW = 1_900_000_000.9;
beforeEach(() => {
  jest.spyOn(Date, "now").mockReturnValue(NOW * 1000);
});
afterEach(() => {
  jest.restoreAllMocks();
});

it("the shard is that of the subject as its issuer writes it, for writing and for looking", async () => {
  const { writer, kept } = keepWork();
  await createForeignSessions(writer, 0).logout({ accessToken: TOKEN, allDevices: true }, NOBODY);
  const { issuer, iss, sub } = TOKEN;
  const named = { issuer, iss, sub, keyId: DIGEST, clockLeadSeconds: 5, maxLifetimeSeconds: 60 };
  const revoker = createRevoker(writer, shards, { issuer: "curfew", clockToleranceSeconds: 0 });
  await revoker.subject(named, { reason: "logout", by: "app" });

  const asked: string[] = [];
  const past = {
    ask(prefix: string) {
      asked.push(prefix);
      return Promise.resolve({ counts: [0], epoch: "1-a" });
    },
  };
  const epochs = { current: () => Promise.resolve("1-a"), known: () => "1-a" };
  const denylist = createDenylist({} as Redis, shards, epochs as unknown as Epochs, past as unknown as Past);
  await denylist.assertNotRevoked(TOKEN);

  const prefix = shards.prefixOf("auth0:auth0|5f7c");
  expect(prefix).not.toBe(shards.prefixOf(`auth0:${DIGEST}`));
  expect([...kept.map((each) => each.prefix), ...asked]).toEqual([prefix, prefix, prefix]);
  for (const { work } of kept) expect(work.keys("p:")).toContain(`p:denylist:sub:auth0:${DIGEST}`);
});

describe("a cut-off", () => {
  const SECOND = Math.floor(NOW);

  async function cutOffBy(iat: number, clockTolerance = 0) {
    const { writer, argsOf } = keepWork();
    await createForeignSessions(writer, clockTolerance).logout(
      { accessToken: { ...TOKEN, iat }, allDevices: true },
      NOBODY,
    );
    return argsOf(0);
  }

  it("covers what the issuer's clock may be ahead, and lives for as long as the last token that it denies", async () => {
    expect(await cutOffBy(SECOND - 10)).toMatchObject({
      ...{ cutoff: SECOND + 5, subject_ttl_ms: 65_000, session_ttl_ms: 65_000 },
    });
    expect(await cutOffBy(SECOND - 10, 3)).toMatchObject({ subject_ttl_ms: 71_000, session_ttl_ms: 71_000 });
  });

  it("covers the token that asks for it, also where its iat has a fraction", async () => {
    expect(await cutOffBy(SECOND + 5.8)).toMatchObject({ cutoff: SECOND + 6, subject_ttl_ms: 65_100 });
  });

  it("of a subject by its name is the same", async () => {
    const { writer, argsOf } = keepWork();
    const revoker = createRevoker(writer, shards, { issuer: "curfew", clockToleranceSeconds: 3 });
    const { issuer, iss, sub } = TOKEN;
    const bounds = { clockLeadSeconds: 5, maxLifetimeSeconds: 60 };
    await revoker.subject({ issuer, iss, sub, keyId: sub, ...bounds }, { reason: "logout", by: "app" });
    expect(argsOf(0)).toMatchObject({ cutoff: SECOND + 5, subject_ttl_ms: 71_000 });
  });
});

it("a token has expired once its exp and the tolerance have passed", async () => {
  const { writer, argsOf } = keepWork();
  const sessions = createForeignSessions(writer, 5);
  for (const exp of [NOW - 4.5, NOW - 5])
    await sessions.logout({ accessToken: { ...TOKEN, exp }, allDevices: true }, NOBODY);
  expect([argsOf(0)?.["is_expired"], argsOf(1)?.["is_expired"]]).toEqual([0, 1]);
});
