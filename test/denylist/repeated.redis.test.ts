import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { createConfirmations } from "../../src/denylist/past/confirmations";
import { NOBODY } from "../../src/denylist/entry";
import { createEpochs } from "../../src/denylist/past/epochs";
import { createForeignSessions } from "../../src/denylist/foreign-sessions";
import { createPast } from "../../src/denylist/past/past";
import { createRevoker } from "../../src/denylist/revoker";
import { createWriter } from "../../src/denylist/writer";
import { connectRedis, type Redis } from "../../src/redis/redis";
import { createSessions } from "../../src/sessions/sessions";
import { createOneShard } from "../../src/redis/shards";
import type { AccessToken } from "../../src/tokens/access-tokens";
import type { ForeignToken } from "../../src/issuers/foreign-tokens";
import { eventually } from "../helpers/client";
import { useRedis } from "../helpers/redis";

/** What was revoked already changes nothing, and yet whoever is told that it is done remembers it. */
const PREFIX = "curfew:";
const EPOCH_KEY = `${PREFIX}denylist:epoch`;
const log = pino({ level: "silent" });

const redis = useRedis();
let connections: Redis[];
beforeEach(async () => {
  connections = [];
  await redis.admin.flushall();
});
afterEach(() => {
  for (const connection of connections) connection.close();
});

/** An instance that knows this Redis, and looks only when it is asked. */
async function start() {
  const connection = connectRedis(
    { mode: "single", url: redis.url },
    { timeoutMs: 1000, minReplicas: 0 },
    log,
  );
  connections.push(connection);
  await connection.firstContact;
  const epochs = createEpochs(connection, log);
  const past = createPast(connection, epochs, createConfirmations(connection, 0));
  const shards = createOneShard(PREFIX);
  const writer = createWriter(connection, shards, past);
  const options = {
    ...{ issuer: "curfew", accessTtlSeconds: 900, refreshTtlSeconds: 3600, sessionMaxTtlSeconds: 7200 },
    ...{ refreshGraceSeconds: 10, clockToleranceSeconds: 0 },
  };
  const ask = () => past.ask(PREFIX, () => connection.ask((client) => client.get(EPOCH_KEY)));
  await ask();
  return {
    ask,
    revoker: createRevoker(writer, shards, options),
    sessions: createSessions(connection, shards, writer, options),
    foreignSessions: createForeignSessions(writer, 0),
  };
}

type Instance = Awaited<ReturnType<typeof start>>;

const [sub, sid, jti] = [randomUUID(), randomUUID(), randomUUID()];
const now = Math.floor(Date.now() / 1000);
const times = { iat: now, exp: now + 900 };
const OWN: AccessToken = {
  ...{ kind: "own", ...times, iss: "curfew", aud: "api", sub, sid, jti, roles: [], epoch: "1-a" },
};
const FOREIGN: ForeignToken = {
  kind: "foreign",
  ...{ ...times, issuer: "auth0", iss: "https://auth0.example", sub, sid, jti },
  keyIds: { sub, sid, jti },
  ...{ sinceEpoch: true, clockLeadSeconds: 5, maxLifetimeSeconds: 3600, claims: {} },
};

const WAYS: [title: string, revoke: (instance: Instance) => Promise<unknown>][] = [
  [
    "a token by its id",
    ({ revoker }) => revoker.token({ jti, exp: times.exp, sub }, { reason: "logout", by: "ops" }),
  ],
  [
    "a logout",
    ({ sessions }) =>
      sessions.logout({ accessToken: OWN, refreshToken: undefined, allDevices: false }, NOBODY),
  ],
  [
    "an outside issuer's logout",
    ({ foreignSessions }) => foreignSessions.logout({ accessToken: FOREIGN, allDevices: false }, NOBODY),
  ],
];

it.each(WAYS)(
  "%s: its loss is noticed by an instance that was the second to revoke it",
  async (_title, revoke) => {
    const [first, second] = [await start(), await start()];
    await revoke(first);
    const events = await redis.admin.xrange(`${PREFIX}events`, "-", "+");
    await revoke(second);
    expect(await redis.admin.xrange(`${PREFIX}events`, "-", "+")).toEqual(events);

    const epoch = await redis.admin.get(EPOCH_KEY);
    const [last = ""] = events.at(-1) ?? [];
    await redis.admin.xdel(`${PREFIX}events`, last);
    await redis.admin.call("CLIENT", "KILL", "USER", "curfew");
    const answers = () =>
      second.ask().then(
        () => true,
        () => false,
      );
    await eventually(answers);
    expect(await second.ask()).not.toBe(epoch);
  },
);
