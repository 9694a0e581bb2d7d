import type { AccessToken } from "../../src/tokens/access-tokens";
import type { ForeignToken } from "../../src/issuers/foreign-tokens";
import { leftMs } from "../../src/redis/budget";
import { createFakeRedis, createNode, epochOf, PREFIX } from "../helpers/fake-redis";
import { createInstance } from "../helpers/instance";

const EPOCH = epochOf(1000);
const OWN = { kind: "own", sub: "u", sid: "s", jti: "j", epoch: EPOCH } as AccessToken;
const FOREIGN = {
  kind: "foreign",
  ...{ issuer: "auth0", sub: "u", sid: "s", jti: "j", iat: 1500, sinceEpoch: true },
  keyIds: { sub: "u", sid: "s", jti: "j" },
} as ForeignToken;

const ENTRIES = {
  own: ["denylist:jti:j", "denylist:sid:s"],
  foreign: ["denylist:sub:auth0:u", "denylist:jti:auth0:j", "denylist:sid:auth0:s"],
};

async function start(entries: Record<string, string> = {}) {
  const fake = createFakeRedis(createNode(EPOCH, "1-0"));
  const { denylist, epochs, ask } = createInstance(fake);
  await ask();
  for (const [key, value] of Object.entries(entries)) fake.node.entries.set(PREFIX + key, value);
  return { fake, denylist, epochs };
}

describe("without asking anybody", () => {
  async function startWith(lookUp?: () => { anyExists: boolean; epoch: string } | undefined) {
    const fake = createFakeRedis(createNode(EPOCH, "1-0"));
    const { denylist, ask } = createInstance(fake, 0, lookUp && { lookUp });
    await ask();
    fake.asked.length = 0;
    return { fake, denylist };
  }

  it.each([
    ["the mirror is fresh and has no entry", EPOCH, OWN, true],
    ["the token is an issuer's", EPOCH, FOREIGN, true],
    ["it is from before the epoch", EPOCH, { ...FOREIGN, iat: 999 }, false],
    ["the token is of another epoch", EPOCH, { ...OWN, epoch: epochOf(900) }, false],
    ["the mirror is of another epoch", epochOf(900), { ...OWN, epoch: epochOf(900) }, false],
  ])("whether a token is clean where %s", async (_title, epoch, token, isKnown) => {
    const { fake, denylist } = await startWith(() => ({ anyExists: false, epoch }));
    expect(denylist.isKnownClean(token)).toBe(isKnown);
    expect(fake.asked).toEqual([]);
  });

  it("nothing is known where the mirror isn't sure, or where there is none, and Redis is asked", async () => {
    for (const lookUp of [() => undefined, undefined]) {
      const { fake, denylist } = await startWith(lookUp);
      expect(denylist.isKnownClean(OWN)).toBe(false);
      await denylist.assertNotRevoked(OWN);
      expect(fake.asked).toEqual(["exists", "get"]);
    }
  });
});

const LATER = epochOf(2000);

it("nothing is believed of a Redis that was empty when it was asked, though it is back when an epoch would begin", async () => {
  const fake = createFakeRedis(createNode(EPOCH, "1-0"));
  const { denylist, ask } = createInstance(fake);
  await ask();
  // A look finds the next epoch; then all is gone for the one moment in which the entries are read.
  const kept = createNode(LATER, "2-0");
  kept.entries.set(`${PREFIX}denylist:jti:j`, "why");
  fake.renew(kept);
  const token = { ...OWN, epoch: LATER };
  fake.beforeCommand = (name) => {
    if (name === "exists") fake.node = createNode(null);
    if (name === "begin") fake.node = kept;
  };
  await expect(denylist.assertNotRevoked(token)).rejects.toMatchObject({ code: "token_revoked" });
});

const REVOKED = { code: "token_revoked" };

it("lets in whom nothing denies", async () => {
  const { denylist } = await start({ "denylist:jti:other": "x", "denylist:sub:other:u": "x" });
  await denylist.assertNotRevoked(OWN);
  await denylist.assertNotRevoked(FOREIGN);
  await denylist.assertNotRevoked({ ...FOREIGN, keyIds: { ...FOREIGN.keyIds, sid: undefined } });
});

describe.each([
  ["own", OWN],
  ["foreign", FOREIGN],
] as const)("a token of %s", (kind, token) => {
  it.each(ENTRIES[kind])("is refused for %s, whatever its value", async (key) => {
    for (const value of ["", "why", "{}", "0"]) {
      const { denylist } = await start({ [key]: value });
      await expect(denylist.assertNotRevoked(token)).rejects.toMatchObject({ ...REVOKED, raisesEvent: true });
    }
  });

  it.each(ENTRIES[kind])(
    "is refused though all is lost between any two commands, with %s among it",
    async (key) => {
      for (let at = 1; at <= ENTRIES[kind].length + 1; at += 1) {
        const { fake, denylist } = await start({ [key]: "why" });
        let count = 0;
        fake.beforeCommand = () => {
          if ((count += 1) === at) fake.node = createNode(null);
        };
        await expect(denylist.assertNotRevoked(token)).rejects.toMatchObject(REVOKED);
      }
    },
  );

  it("is refused though another epoch began just before it was asked about", async () => {
    const { fake, denylist } = await start();
    fake.node = createNode(epochOf(2000));
    await expect(denylist.assertNotRevoked(token)).rejects.toMatchObject({ ...REVOKED, raisesEvent: false });
  });

  it("is neither good nor bad where the epoch is malformed", async () => {
    const { fake, denylist } = await start();
    fake.node.epoch = "soon";
    const checked = denylist.assertNotRevoked(token);
    await expect(checked).rejects.toMatchObject({ code: "denylist_unavailable" });
  });
});

it("takes no longer in all where it has to look closer", async () => {
  const { fake, denylist } = await start({ [ENTRIES.own[0] ?? ""]: "why" });
  const left: number[] = [];
  fake.beforeCommand = () => void left.push(leftMs(Infinity));
  fake.beforeAnswer = () => new Promise((resolve) => setTimeout(resolve, 20));
  await expect(denylist.assertNotRevoked(OWN)).rejects.toMatchObject(REVOKED);
  expect(Math.max(...left.slice(0, 2))).toBeLessThanOrEqual(fake.redis.timeoutMs);
  expect(Math.max(...left.slice(2))).toBeLessThan(fake.redis.timeoutMs - 10);
});

it("refuses whoever a Redis lets in that lost what we knew", async () => {
  const { fake, denylist } = await start();
  fake.renew(createNode(EPOCH));
  await expect(denylist.assertNotRevoked(OWN)).rejects.toMatchObject(REVOKED);
});

it("refuses a token of ours from any other epoch, also from one to come", async () => {
  const { denylist } = await start();
  for (const epoch of [epochOf(999), epochOf(1000, "s"), epochOf(1001)]) {
    await expect(denylist.assertNotRevoked({ ...OWN, epoch })).rejects.toMatchObject(REVOKED);
  }
});

describe("a cutoff", () => {
  const cutOff = (cutoff: number) => ({ "denylist:sub:auth0:u": JSON.stringify({ sub: "u", cutoff }) });

  it.each([
    [1499, true],
    [1499.5, true],
    [1500, true],
    [1500.9, true],
    [1501, false],
  ])("of 1500 and an iat of %d: refused is %s", async (iat, isRefused) => {
    const { denylist } = await start(cutOff(1500));
    const checked = denylist.assertNotRevoked({ ...FOREIGN, iat });
    await (isRefused ? expect(checked).rejects.toMatchObject(REVOKED) : checked);
  });

  it("says nothing of other entries", async () => {
    const { denylist } = await start({ ...cutOff(1000), "denylist:jti:auth0:j": "why" });
    await expect(denylist.assertNotRevoked(FOREIGN)).rejects.toMatchObject(REVOKED);
  });
});

describe("a foreign token from before the epoch", () => {
  const checkAt = async (iat: number, sinceEpoch: boolean) =>
    (await start()).denylist.assertNotRevoked({ ...FOREIGN, iat, sinceEpoch });

  it("is refused, though not one of its first second", async () => {
    await expect(checkAt(999, true)).rejects.toMatchObject({ ...REVOKED, raisesEvent: false });
    await checkAt(1000, true);
  });

  it("is taken where its issuer's may be older", () => checkAt(999, false));
});

it("would answer where an epoch can be read, or begun, and not elsewhere", async () => {
  const { fake, denylist, epochs } = await start();
  fake.node.epoch = null;
  await denylist.assertAnswering();
  expect(fake.began).toEqual([epochs.known(PREFIX)]);
  fake.node.epoch = "soon";
  await expect(denylist.assertAnswering()).rejects.toMatchObject({ code: "denylist_unavailable" });
});

it("would write where a probe is written", async () => {
  const { fake, denylist } = await start();
  fake.redis.probe = () => Promise.reject(new Error("READONLY"));
  await denylist.assertAnswering();
  await expect(denylist.assertWritable()).rejects.toThrow("READONLY");
});

describe("why a token is refused", () => {
  const value = JSON.stringify({ reason: "logout", revoked_at: "2026-01-02T03:04:05Z", by: "u" });

  it("is read from its entry", async () => {
    const { denylist } = await start({ "denylist:sid:s": value });
    await expect(denylist.assertNotRevoked(OWN)).rejects.toMatchObject({
      why: { reason: "logout", revoked_at: "2026-01-02T03:04:05Z" },
    });
  });

  it("is left out if Redis fails just then: the token is refused all the same", async () => {
    const { fake, denylist } = await start({ "denylist:sid:s": value });
    fake.beforeCommand = (name, key) => {
      if (name === "get" && key.endsWith(":sid:s")) throw new Error("Connection is closed.");
    };
    await expect(denylist.assertNotRevoked(OWN)).rejects.toMatchObject({ ...REVOKED, why: {} });
  });
});
