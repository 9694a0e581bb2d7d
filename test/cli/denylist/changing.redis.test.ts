import { hostname, userInfo } from "node:os";
import { expectRefusal, login, logout, me, refresh, register } from "../../helpers/client";
import { curfew } from "../../helpers/command";
import { claimsOf, useDenylistCommands } from "../../helpers/denylist-commands";
import { readDeeds } from "../../helpers/events";
import { vary } from "../../helpers/jws";
import { curfewOnTerminal } from "../../helpers/terminal";

const { clerk, redis, service, env, keyed, run } = useDenylistCommands();
const revoke = (...words: string[]) => run("revoke", "--reason", "ticket 7", ...words);

async function signUp() {
  const tokens = await register(service.url);
  return { ...tokens, ...claimsOf(tokens.access_token) };
}

const isRefused = async (token: string) => {
  expectRefusal(await me(service.url, token), 401, "token_revoked");
};
const isAccepted = async (token: string) => {
  expect((await me(service.url, token)).status).toBe(200);
};
const entryOf = async (key: string) =>
  JSON.parse((await redis.admin.get(`curfew:denylist:${key}`)) ?? "{}") as Record<string, unknown>;
const ttlOf = (key: string) => redis.admin.ttl(`curfew:denylist:${key}`);
const doneBy = `cli:${userInfo().username}@${hostname()}`;

describe("revoke", () => {
  it("denies a token from standard input alone, in the name of whoever runs it, and never shows it", async () => {
    const { access_token, refresh_token, jti } = await signUp();
    const words = ["revoke", "--token", "-", "--reason", "ticket 7", "--json"];
    const ended = await curfew(words, keyed(), `Bearer ${access_token}\n`);
    expect(ended).toMatchObject({ exitCode: 0, stderr: "" });
    expect(JSON.parse(ended.stdout)).toEqual({ revoked: true, kind: "token", id: jti });
    await isRefused(access_token);
    expect(await entryOf(`jti:${jti}`)).toMatchObject({
      reason: "revoked_by_ops",
      by: doneBy,
      note: "ticket 7",
    });
    expect((await refresh(service.url, refresh_token)).status).toBe(200);
    expect((await readDeeds(redis)).at(-1)).toMatchObject({
      event: "revoked_by_ops",
      jti,
      by: doneBy,
      note: "ticket 7",
    });
  });

  it("refuses a forged token, and never shows it", async () => {
    const { access_token } = await signUp();
    const forged = vary(access_token, "somebody else's secret of thirty-two bytes", {});
    const ended = await curfew(["revoke", "--token", forged, "--reason", "x"], keyed());
    expect(ended).toEqual({
      ...{ exitCode: 2, stdout: "" },
      stderr: "The token is not a genuine token of ours or of a trusted issuer.\nNothing was changed.\n",
    });
    await isAccepted(access_token);
  });

  it.each([
    ["a duration", "10m", 600],
    ["Unix seconds", "in", 300],
    ["RFC 3339", "at", 200],
    ["nothing: as long as a new token lives", undefined, 900],
  ])("denies a jti until then, where --expires is %s", async (_title, given, seconds) => {
    const { access_token, jti } = await signUp();
    const then = Math.ceil(Date.now() / 1000) + seconds;
    const written = { in: String(then), at: new Date(then * 1000).toISOString() }[given ?? ""] ?? given;
    const ended = await revoke("--jti", jti, ...(written === undefined ? [] : ["--expires", written]));
    expect(ended).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining(`Revoked: token ${jti}.`) as string,
    });
    await isRefused(access_token);
    expect(await ttlOf(`jti:${jti}`)).toBeGreaterThan(seconds - 15);
    expect(await ttlOf(`jti:${jti}`)).toBeLessThanOrEqual(seconds + 1);
  });

  it("denies a foreign jti, session and subject, each for as long as such tokens live", async () => {
    const [one, two, three] = ["a", "b", "c"].map((name) =>
      clerk.mint({ jti: `tok_${name}`, sid: `sess_${name}`, sub: `user_${name}` }),
    ) as [string, string, string];
    for (const token of [one, two, three]) await isAccepted(token);
    expect((await revoke("--jti", "clerk:tok_a")).exitCode).toBe(0);
    expect((await revoke("--session", "clerk:sess_b")).exitCode).toBe(0);
    expect((await revoke("--user", "clerk:user_c", "--yes")).exitCode).toBe(0);
    for (const token of [one, two, three]) await isRefused(token);
    expect(await ttlOf("jti:clerk:tok_a")).toBeGreaterThan(3550);
    const { stdout } = await run("show", "user", "clerk:user_c");
    expect(stdout).toMatch(/^user clerk:user_c\n[^]*cut-off +what was issued/);
    expect(stdout).toMatch(new RegExp(`\n +by +${doneBy}\n`));
  });

  it("ends a session, and all that a user has by address", async () => {
    const [one, two] = [await signUp(), await signUp()];
    const other = await login(service.url, two.user.email);
    expect((await revoke("--session", one.sid)).exitCode).toBe(0);
    expect(await revoke("--user", two.user.email, "--yes")).toMatchObject({
      ...{ exitCode: 0, stderr: "" },
      stdout: expect.stringContaining(`Revoked: user ${two.user.id}.`) as string,
    });
    for (const { access_token } of [one, two, other]) await isRefused(access_token);
    await isAccepted((await login(service.url, two.user.email)).access_token);
  });

  it("asks before it ends all that a user has, and takes only yes for it", async () => {
    const { access_token, user } = await signUp();
    const words = ["revoke", "--user", user.email, "--reason", "x"];
    expect(await run(...words)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("--yes") as string,
    });
    const answer = (text: string) => curfewOnTerminal(words, env(), { answers: [["[y/N]", text]] });
    for (const text of ["\r", "yesterday\r"])
      expect(answer(text)).toMatchObject({
        exitCode: 2,
        shown: expect.stringContaining("Nothing was changed") as string,
      });
    await isAccepted(access_token);
    expect(answer("y\r").exitCode).toBe(0);
    await isRefused(access_token);
  });

  it.each([
    ["--session", "no-such-session"],
    ["--user", "no*body"],
    ["--user", "nobody@example.com"],
  ])("of %s %s, which isn't there, exits with 1", async (name, id) => {
    expect(await revoke(name, id, "--yes")).toMatchObject({
      ...{ exitCode: 1, stdout: "" },
      stderr: expect.stringMatching(/^There is no .*Nothing was changed\.\n$/) as string,
    });
  });

  it.each([
    ["no target", []],
    ["two targets", ["--jti", "a", "--session", "b"]],
    ["--expires without --jti", ["--session", "a", "--expires", "15m"]],
    ["a time that has passed", ["--jti", "a", "--expires", "2020-01-01T00:00:00Z"]],
    ["milliseconds", ["--jti", "a", "--expires", String(Date.now() + 900_000)]],
    ["an id that no token can have", ["--jti", "a*b"]],
    ["an id for a token", ["--token", "a-jti"]],
    ["a token for an id", ["--jti", `eyJhbGciOiJIUzI1NiJ9.e30.x`]],
    ["an empty id", ["--user", "", "--yes"]],
  ])("exits with 2 for %s, and writes nothing", async (_title, words) => {
    const before = await readDeeds(redis);
    expect(await revoke(...words)).toMatchObject({ exitCode: 2, stdout: "" });
    expect(await readDeeds(redis)).toEqual(before);
  });

  it.each([[[]], [["--reason", " "]], [["--reason", "two\nlines"]], [["--reason", "x".repeat(257)]]])(
    "exits with 2 without a reason that can be read: %j",
    async (words) => {
      const ended = await run("revoke", "--jti", "a-jti", ...words);
      expect(ended).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("--reason") as string });
      expect(await redis.admin.exists("curfew:denylist:jti:a-jti")).toBe(0);
    },
  );
});

describe("lift", () => {
  it("says what still refuses the token, until nothing does, and tells who lifted it", async () => {
    const { access_token, jti, sid } = await signUp();
    await logout(service.url, access_token);
    const first = await run("lift", "jti", jti, "--reason", "a mistake");
    expect(first).toMatchObject({ exitCode: 0, stderr: "" });
    expect(first.stdout).toMatch(
      new RegExp(
        `^Lifted: token ${jti}\\.\nStill refused, by:\nsid +Its session was ended[^]*curfew lift session ${sid}`,
      ),
    );
    await isRefused(access_token);
    const second = await run("lift", "session", sid, "--json");
    expect(JSON.parse(second.stdout)).toMatchObject({
      lifted: { kind: "session", id: sid },
      still_refused_by: [],
    });
    await isAccepted(access_token);
    const [lifted] = (await readDeeds(redis)).filter(
      (event) => event["event"] === "lifted" && event["jti"] === jti,
    );
    expect(lifted).toMatchObject({ by: doneBy, note: "a mistake" });
    const again = await run("lift", "token", jti);
    expect(again).toMatchObject({ exitCode: 1, stdout: "" });
    expect(again.stderr).toMatch(/^Nothing denies/);
  });

  it("takes an id with glob characters literally", async () => {
    await redis.admin.mset("curfew:denylist:jti:a*", "why", "curfew:denylist:jti:ab", "why");
    const ended = await run("lift", "token", "a*");
    expect(ended).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining("didn't say whose") as string,
    });
    expect(await redis.admin.exists("curfew:denylist:jti:ab")).toBe(1);
  });

  it("of a user's cut-off needs --yes, or a yes", async () => {
    const token = clerk.mint({ sub: "user_lift" });
    await revoke("--user", "clerk:user_lift", "--yes");
    const words = ["lift", "user", "clerk:user_lift"];
    expect((await run(...words)).exitCode).toBe(2);
    await isRefused(token);
    const { exitCode } = curfewOnTerminal(words, env(), { answers: [["[y/N]", "yes\r"]] });
    expect(exitCode).toBe(0);
    await isAccepted(token);
  });

  it.each([
    [["lift"]],
    [["lift", "a-jti"]],
    [["lift", "thing", "a"]],
    [["lift", "token", "eyJhbGciOiJIUzI1NiJ9.e30.x"]],
    [["lift", "token", "a", "--reason", "\u0007"]],
  ])("exits with 2 for %j", async (words) => {
    expect((await run(...words)).exitCode).toBe(2);
  });
});
