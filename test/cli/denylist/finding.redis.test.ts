import { exec } from "node:child_process";
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { logout, me, register } from "../../helpers/client";
import { curfew } from "../../helpers/command";
import { claimsOf, useDenylistCommands } from "../../helpers/denylist-commands";
import { forge, vary } from "../../helpers/jws";
import { startProvider, writeIssuers } from "../../helpers/provider";
import { SECRET } from "../../helpers/service";
import { curfewOnTerminal } from "../../helpers/terminal";

type Entry = Record<string, unknown> & { id: string; kind: string };

const { clerk, redis, service, env, keyed, run } = useDenylistCommands();
const explain = (text: string, ...words: string[]) => curfew(["why", ...words, "--", text], keyed());

async function loggedOut() {
  const tokens = await register(service.url);
  await logout(service.url, tokens.access_token);
  return { ...tokens, ...claimsOf(tokens.access_token) };
}

const parseLines = (text: string) =>
  text
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Entry);

/** What HTTP headers may hold, and more that Redis may. */
const HOSTILE = "Evil/1.0 \u001B]0;owned\u0007\u001B[2J\u009B31m\u202Egnp.exe\r\n{}";

const expectHarmless = (text: string) => {
  expect(text.replaceAll(/\r?\n/g, "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
};

async function loggedOutByHostileDevice() {
  const someone = await loggedOut();
  const key = `curfew:denylist:jti:${someone.jti}`;
  const entry = JSON.parse((await redis.admin.get(key)) ?? "") as object;
  const ttl = await redis.admin.pttl(key);
  await redis.admin.set(key, JSON.stringify({ ...entry, user_agent: HOSTILE, reason: HOSTILE }), "PX", ttl);
  return someone;
}

describe("status", () => {
  it("says how Redis is, in words and in JSON", async () => {
    const { stdout, exitCode } = await run("status");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Redis +7\.\S+, 0 replicas, maxmemory-policy noeviction, append-only file off\n/);
    expect(stdout).toMatch(/\nWarning +Redis keeps no append-only file/);
    expect(stdout).toMatch(/\nRemembers +since 20\d\d-.* UTC, .* \(epoch \d+-\w+\)\nEvents +\d+\n$/);
    expect(JSON.parse((await run("status", "--json")).stdout)).toMatchObject({
      redis: { nodes: [{ replicas: 0 }], warnings: [{ code: "no_append_only_file" }] },
      epochs: [{ prefix: "curfew:" }],
    });
  });
});

describe("why", () => {
  it("says that a token is alive", async () => {
    const { access_token, user } = await register(service.url);
    const ended = await explain(access_token);
    expect(ended).toMatchObject({ exitCode: 0, stderr: "" });
    expect(ended.stdout).toMatch(/^Alive: /);
    expect(ended.stdout).toContain(`user      ${user.id}`);
    expect(ended.stdout).toMatch(/expires +20\d\d-\S+ \S+ UTC, in 1\d min\n/);
  });

  it("says of a token from standard input who had it refused, and never shows it", async () => {
    const { access_token, refresh_token, jti, sid, user } = await loggedOut();
    await me(service.url, access_token);
    const outputs = await Promise.all([
      curfew(["why", "-"], keyed(), `Authorization: Bearer ${access_token}\n`),
      curfew(["why", "-", "--json"], keyed(), access_token),
      curfew(["why", "Bearer", access_token.slice(0, 60), access_token.slice(60)], keyed()),
      explain(refresh_token),
      explain(refresh_token, "--json"),
    ]);
    const [first, json, pieces, refreshed] = outputs;
    expect(outputs.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0, 0]);
    expect(first.stdout).toMatch(/^Dead: [^]*\njti +This token was revoked[^]*\nsid +Its session was ended/);
    expect(first.stdout).toContain(`by        ${user.id}, whose it is`);
    expect(first.stdout).toMatch(/used +(once|\d+ times) since, last 20.*, from \S*127\.0\.0\.1, node/);
    expect(first.stdout).toContain(`lift      curfew lift session ${sid} --reason TEXT`);
    expect(JSON.parse(json.stdout)).toMatchObject({ verdict: "dead", token: { jti } });
    expect(parseLines((await run("show", jti, "--json")).stdout)).toMatchObject([
      { uses: { uses: expect.any(Number) as number, ip: "127.0.0.1", user_agent: "node" } },
    ]);
    expect(pieces.stdout).toMatch(/^Dead: /);
    expect(refreshed.stdout).toMatch(/^Dead: [^]*a refresh token/);
    for (const { stdout, stderr } of outputs)
      for (const part of [...access_token.split("."), ...refresh_token.split(".")])
        expect(stdout + stderr).not.toContain(part);
  });

  it("asks for the token on a terminal, and doesn't show what is typed", async () => {
    const { access_token } = await register(service.url);
    const { exitCode, shown } = curfewOnTerminal(
      ["why"],
      { ...keyed(), NO_COLOR: "1" },
      {
        answers: [["jti:", `Bearer ${access_token}\r`]],
      },
    );
    expect(exitCode).toBe(0);
    expect(shown).toContain("Alive: ");
    expect(shown).not.toContain(access_token.slice(0, 20));
  });

  it("needs no key for a jti, finds a foreign one behind its issuer's name, and exits with 1 for an unknown one", async () => {
    const { jti } = await loggedOut();
    expect((await run("why", jti)).stdout).toMatch(/^Dead: /);
    const token = clerk.mint({ jti: "tok_1", sid: "sess_1" });
    await fetch(`${service.url}/v1/auth/session`, {
      method: "DELETE",
      headers: { Authorization: `Bearer ${token}` },
    });
    const { rules } = JSON.parse((await run("why", "clerk:tok_1", "--json")).stdout) as {
      rules: { rule: string }[];
    };
    expect(rules.map(({ rule }) => rule)).toEqual(["jti", "sid"]);
    expect(await explain(token)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^Dead: /) as string,
    });
    const unknown = await run("why", "no-such-jti");
    expect(unknown).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/^Unknown: /) as string });
    expect(unknown.stdout).not.toContain("no-such-jti");
  });

  it("takes no forged token for evidence", async () => {
    const { access_token } = await loggedOut();
    const claims = claimsOf(access_token);
    const forged = [
      vary(access_token, "somebody else's secret of thirty-two bytes", {}),
      forge({ alg: "none" }, claims, SECRET),
      access_token.slice(0, 40),
      `x${access_token}`,
    ];
    for (const { exitCode, stdout, stderr } of await Promise.all(
      forged.map((token) => explain(token, "--json")),
    )) {
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(JSON.parse(stdout)).toEqual({
        verdict: "not_genuine",
        rules: [{ rule: "signature", message: expect.any(String) as string }],
        token: null,
      });
    }
  });

  it("says which setting is missing where the token can't be verified", async () => {
    const { access_token } = await register(service.url);
    const ended = await curfew(["why", access_token], { ...env(), JWT_SECRET: "hunter2" });
    expect(ended).toMatchObject({ exitCode: 78, stdout: "" });
    expect(ended.stderr).toMatch(/^JWT_SECRET: /);
  });

  it("says that an issuer's keys can't be had, and not that Redis is away", async () => {
    const gone = await startProvider("clerk");
    await gone.stop();
    const token = gone.mint();
    const ended = await curfew(["why", token], { ...keyed(), TRUSTED_ISSUERS_FILE: writeIssuers(gone) });
    expect(ended).toMatchObject({ exitCode: 3, stdout: "" });
    expect(ended.stderr).toMatch(/^The keys of the issuer clerk can't be fetched/);
  });
});

describe("show", () => {
  it("tells an entry's story, whichever kind it is", async () => {
    const { jti, sid, user } = await loggedOut();
    const token = await run("show", jti);
    expect(token).toMatchObject({ exitCode: 0, stderr: "" });
    expect(token.stdout).toMatch(
      new RegExp(
        `^token ${jti}\n +revoked +20.* UTC, now\n +reason +logout\n +by +${user.id}, whose it is\n`,
      ),
    );
    expect(token.stdout).toMatch(/used +not since, as far as was reported\n/);
    expect(token.stdout).toContain(`key       curfew:denylist:jti:${jti}\n`);
    expect((await run("show", "sid", sid)).stdout).toMatch(new RegExp(`^session ${sid}\n`));
    expect(parseLines((await run("show", sid, "--json")).stdout)).toMatchObject([
      { kind: "session", id: sid, sub: user.id, uses: null },
    ]);
  });

  it("shows what was written by hand, with an id of any letters, and none that merely matches", async () => {
    await redis.admin.set("curfew:denylist:jti:by-*[hand]", "ticket 7");
    const { stdout } = await run("show", "by-*[hand]");
    expect(stdout).toMatch(/^token by-\*\[hand\]\n +by hand +ticket 7\n +denied +for ever/);
    expect(await run("show", "by-*")).toMatchObject({ exitCode: 1, stdout: "" });
  });

  it.each([[["show"]], [["show", "thing", "id"]], [["show", "token", ""]], [["show", "a", "b", "c"]]])(
    "exits with 2 for %j",
    async (words) => {
      expect(await run(...words)).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining("Usage: curfew show") as string,
      });
    },
  );

  it("refuses a token for an id, and doesn't repeat it", async () => {
    const { access_token } = await register(service.url);
    const ended = await run("show", access_token);
    expect(ended).toMatchObject({ exitCode: 2, stdout: "" });
    expect(ended.stderr).toMatch(/^That is a token/);
    expect(ended.stderr).not.toContain(access_token.slice(0, 20));
  });

  it("shows of a hostile device no more than text", async () => {
    const { jti, access_token } = await loggedOutByHostileDevice();
    const json = run("show", jti, "--json");
    const outputs = await Promise.all([
      ...[run("show", jti), json, run("revoked", "--search", jti)],
      ...[explain(access_token), explain(access_token, "--json")],
    ]);
    for (const { stdout } of outputs) {
      expectHarmless(stdout);
      expect(stdout).toContain("Evil/1.0");
    }
    expect(parseLines((await json).stdout)).toMatchObject([{ user_agent: HOSTILE }]);
  });
});

describe("revoked", () => {
  const list = async (...words: string[]) => parseLines((await run("revoked", "--json", ...words)).stdout);

  it("lists the newest first, and then what was written by hand, each once", async () => {
    const [one, two] = [await loggedOut(), await loggedOut()];
    const byHand = randomUUID();
    await redis.admin.set(`curfew:denylist:jti:${byHand}`, "why", "EX", 900);
    const ids = (await list("--all")).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.slice(0, 4).sort()).toEqual([one.jti, one.sid, two.jti, two.sid].sort());
    expect(ids.indexOf(byHand)).toBeGreaterThan(3);
    const { stdout } = await run("revoked", "--user", two.user.email, "--kind", "jti");
    expect(stdout).toMatch(
      new RegExp(
        `^KIND +ID +USER +REASON +REVOKED +UNTIL\ntoken +${two.jti} +${two.user.id} +logout +20\\S+Z +20\\S+Z\n$`,
      ),
    );
  });

  it("filters by user, kind, reason, time and text, where glob characters are letters", async () => {
    const { jti, sid, user } = await loggedOut();
    const idsOf = async (...words: string[]) => (await list(...words)).map(({ id }) => id).sort();
    const found = await Promise.all([
      idsOf("--user", user.id),
      idsOf("--search", jti.toUpperCase()),
      idsOf("--search", `${jti.slice(0, 8)}*`),
      idsOf("--user", user.id, "--since", "1h", "--reason", "logout", "--kind", "session"),
      idsOf("--user", user.id, "--since", "2100-01-01"),
      idsOf("--user", user.id, "--reason", "session_ended"),
    ]);
    expect(found).toEqual([[jti, sid].sort(), [jti], [], [sid], [], []]);
  });

  it("says that there is nothing, or that there is more", async () => {
    expect(await run("revoked", "--user", "nobody")).toEqual({
      ...{ exitCode: 0, stdout: "" },
      stderr: "Nothing like that is denied.\n",
    });
    await loggedOut();
    const some = await run("revoked", "--limit", "1", "--json");
    expect(parseLines(some.stdout)).toHaveLength(1);
    expect(some).toMatchObject({ exitCode: 0, stderr: "There are more: --all, or --limit.\n" });
  });

  it("stops at the limit, also among what no event tells of", async () => {
    const { user } = await loggedOut();
    const entry = JSON.stringify({ sub: user.id, revoked_at: "2026-01-01T00:00:00.000Z" });
    for (const id of [randomUUID(), randomUUID()])
      await redis.admin.set(`curfew:denylist:jti:${id}`, entry, "EX", 900);
    const limited = (limit: string) => run("revoked", "--user", user.id, "--json", "--limit", limit);
    const [three, four] = [await limited("3"), await limited("4")];
    expect(parseLines(three.stdout)).toHaveLength(3);
    expect(three.stderr).toMatch(/^There are more/);
    expect(parseLines(four.stdout)).toHaveLength(4);
    expect(four.stderr).toBe("");
  });

  it("fits a terminal, where ids stay whole and times are short", async () => {
    const { jti, user } = await loggedOut();
    await redis.admin.set(`curfew:denylist:jti:${"long".repeat(40)}`, "why", "EX", 900);
    const { shown } = curfewOnTerminal(["revoked", "--all"], { ...env(), NO_COLOR: "1" }, { columns: 80 });
    const rows = shown.split("\r\n");
    expect(rows.find((row) => row.includes(jti))).toMatch(
      new RegExp(`^token +${jti}  ${user.id.slice(0, 4)}\\S*…  +logout +now +14 min$`),
    );
    for (const row of rows) expect(row.length).toBeLessThanOrEqual(80);
    expect(curfewOnTerminal(["revoked"], env()).shown).toContain("\u001B[1mKIND");
  });

  it.each([
    [["--kind", "thing"]],
    [["--since", "soon"]],
    [["--limit", "0"]],
    [["--limit", "1", "--all"]],
    [["--frob"]],
    [["word"]],
  ])("exits with 2 for %j", async (words) => {
    expect((await run("revoked", ...words)).exitCode).toBe(2);
  });

  it("ends when whoever reads it has seen enough", async () => {
    await loggedOut();
    const command = `${process.execPath} dist/cli.js revoked --all --json; echo "ended with $?" >&2`;
    const ended = await promisify(exec)(`(${command}) | head -1`, {
      env: { PATH: process.env["PATH"], ...env() },
    });
    expect(ended.stderr).toBe("ended with 0\n");
    expect(parseLines(ended.stdout)).toHaveLength(1);
  });

  it("stops at Ctrl-C with 130, and says how far it was", async () => {
    await loggedOut();
    await redis.admin.eval("for i = 1, 300000 do redis.call('SET', 'other:' .. i, '') end", 0);
    const { exitCode, shown } = curfewOnTerminal(["revoked", "--all"], env(), {
      answers: [["KIND", "\u0003"]],
    });
    expect(shown).toMatch(/Stopped\. Looked at [\d,]+ of about 300,\d+ events and keys\./);
    expect(exitCode).toBe(130);
    await redis.admin.eval("for i = 1, 300000 do redis.call('DEL', 'other:' .. i) end", 0);
  });
});

describe("a Redis that can't be used", () => {
  it("ends every command with 3", async () => {
    const commands = ["status", "revoked", "show a", "why a", "lift jti a", "watch"];
    const env = { REDIS_URL: "redis://127.0.0.1:1" };
    // Each waits for Redis for a while, so they wait together.
    const all = await Promise.all(commands.map((command) => curfew(command.split(" "), env)));
    for (const ended of all) {
      expect(ended).toMatchObject({ exitCode: 3, stdout: "" });
      expect(ended.stderr).toMatch(/^Redis can't be reached, or refused: [^]*REDIS_URL/);
    }
  });

  it("because the issuers' file is broken: exit 78", async () => {
    const ended = await curfew(["status"], { REDIS_URL: redis.url, TRUSTED_ISSUERS_FILE: "/missing.json" });
    expect(ended).toMatchObject({
      exitCode: 78,
      stderr: expect.stringMatching(/^TRUSTED_ISSUERS_FILE: /) as string,
    });
  });
});

it.each(["status", "why", "revoked", "show", "revoke", "lift", "watch"])(
  "%s --help teaches by examples, with nothing configured",
  async (name) => {
    const ended = await curfew([name, "--help"]);
    expect(ended).toMatchObject({ exitCode: 0, stderr: "" });
    expect(ended.stdout).toMatch(new RegExp(`^curfew ${name} [^]*\nExamples:\n  curfew ${name}`));
  },
);
