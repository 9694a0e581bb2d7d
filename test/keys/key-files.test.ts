import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readKeySettings } from "../../src/settings/keys";
import { createKeyFiles, type Outcome } from "../../src/keys/key-files";
import { readKeyList } from "../../src/keys/key-list";
import { readPrivateKey } from "../../src/keys/keys";
import { SECRET } from "../helpers/service";

const DAY_MS = 86_400_000;

let dir: string;
let list: string;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  jest.useFakeTimers({ now: Date.UTC(2030, 0, 1) });
  dir = mkdtempSync(join(tmpdir(), "curfew-key-files-"));
  list = join(dir, "keys.json");
  env = { JWT_SECRET: SECRET, JWT_VERIFY_KEYS_FILE: list, REFRESH_TTL: "30d" };
});
afterEach(() => {
  jest.useRealTimers();
  rmSync(dir, { recursive: true });
});

/** As each run of the command finds them. */
const files = () => createKeyFiles(readKeySettings(env));
const states = () =>
  files()
    .list()
    .map(({ kid, state }) => [kid, state]);
const text = () => (existsSync(list) ? readFileSync(list, "utf8") : "");
const later = (ms: number) => {
  jest.setSystemTime(Date.now() + ms);
};

function done<T>(outcome: Outcome<T>): T {
  if (!("done" in outcome)) throw new Error(JSON.stringify(outcome));
  return outcome.done;
}

/** Checks that a step refuses, says why, and changes nothing. */
function expectRefused(step: () => Outcome<unknown>, why: RegExp): void {
  const before = text();
  const outcome = step();
  expect("refused" in outcome && outcome.refused).toMatch(why);
  expect(text()).toBe(before);
}

function expectMissing(step: () => Outcome<unknown>): void {
  const before = text();
  expect(step()).toHaveProperty("missing");
  expect(text()).toBe(before);
}

/** Adds a key that is known everywhere. */
function addKnown(...algorithm: Parameters<ReturnType<typeof files>["add"]>): string {
  const { kid } = done(files().add(...algorithm));
  later(5 * 60_000);
  return kid;
}

/** Promotes the next key, and configures what signs from then on. */
function promote(kid?: string) {
  const promoted = done(files().promote(kid, false));
  const { privateKeyFile } = promoted;
  const [first] = readKeyList(list).listed;
  env = {
    ...env,
    JWT_SECRET: privateKeyFile ? "" : first?.entry.secret,
    JWT_PRIVATE_KEY_FILE: privateKeyFile,
  };
  return promoted;
}

describe("a key goes its way", () => {
  it.each(["HS256", "ES256", "RS256"] as const)(
    "from HS256 to %s: next, signs, previous, gone",
    (algorithm) => {
      const first = files().list()[0]?.kid;
      const second = addKnown(algorithm);
      expect(states()).toEqual([
        [first, "signs"],
        [second, "next"],
      ]);
      expect(promote()).toMatchObject({ kid: second, previous: first, algorithm });
      expect(states()).toEqual([
        [second, "signs"],
        [first, "previous"],
      ]);
      later(31 * DAY_MS);
      expect(done(files().retire(undefined, false)).map(({ kid }) => kid)).toEqual([first]);
      expect(states()).toEqual([[second, "signs"]]);
      expect(readKeyList(list).listed.map(({ key }) => key.kid)).toEqual([second]);
    },
  );

  it("again and again, a pair in the place of a pair and a secret in the place of a pair", () => {
    const kids = [files().list()[0]?.kid];
    for (const algorithm of ["ES256", "ES256", "RS256", "HS256", "ES256"] as const) {
      kids.unshift(addKnown(algorithm));
      promote();
      expect(states().map(([kid]) => kid)).toEqual(kids);
      expect(states().filter(([, state]) => state === "signs")).toEqual([[kids[0], "signs"]]);
    }
    later(31 * DAY_MS);
    expect(done(files().retire(undefined, false))).toHaveLength(5);
  });

  it("and back: a previous key signs again at once, because every instance knows it", () => {
    const first = String(files().list()[0]?.kid);
    const second = addKnown("ES256");
    promote();
    promote(first);
    expect(states()).toEqual([
      [first, "signs"],
      [second, "previous"],
    ]);
  });

  it("of the algorithm of the one that signs, unless another is asked for", () => {
    expect(done(files().add()).algorithm).toBe("HS256");
  });

  it("in the file it signs from, if there is one; else in one of its own beside the list", () => {
    const kid = addKnown("ES256");
    const { privateKeyFile = "" } = promote();
    expect(privateKeyFile).toBe(join(dir, `jwt-${kid}.pem`));
    const next = addKnown("RS256");
    expect(promote().privateKeyFile).toBe(privateKeyFile);
    expect(readPrivateKey(readFileSync(privateKeyFile, "utf8")).kid).toBe(next);
  });

  it("by value: a private key that the list named by a file which is written over isn't lost", () => {
    const kid = addKnown("ES256");
    const { privateKeyFile = "" } = promote();
    addKnown("ES256");
    const entries = JSON.parse(text()) as { private_key?: string }[];
    const named = entries.map((entry, at) => (at === 0 ? { private_key_file: privateKeyFile } : entry));
    writeFileSync(list, JSON.stringify(named));
    promote();
    expect(readKeyList(list).listed.map(({ key }) => key.kid)).toContain(kid);
  });
});

describe("a step that would break tokens", () => {
  it("add: is refused while a next key waits, and when there would be more than the service reads", () => {
    addKnown();
    expectRefused(() => files().add(), /^There is a next key already: /);
    writeFileSync(
      list,
      JSON.stringify(
        Array.from({ length: 15 }, (_, at) => ({
          secret: `${SECRET}${at}`,
          needed_until: "2030-02-01T00:00:00Z",
        })),
      ),
    );
    expectRefused(() => files().add(), /^There are 15 keys already/);
  });

  it("promote: is refused until the key has been published for as long as others may keep the keys", () => {
    const { kid } = done(files().add("ES256"));
    later(5 * 60_000 - 1);
    expectRefused(() => files().promote(undefined, false), /before it signs: it was added at 2030-01-01/);
    later(1);
    expect(done(files().promote(undefined, false)).kid).toBe(kid);
  });

  it("promote: is refused where nobody says since when the key is known, and where there are several", () => {
    writeFileSync(list, JSON.stringify([{ secret: `${SECRET}1` }]));
    expectRefused(() => files().promote(undefined, false), /when it was added isn't said/);
    writeFileSync(list, JSON.stringify([{ secret: `${SECRET}1` }, { secret: `${SECRET}2` }]));
    expectRefused(() => files().promote(undefined, true), /Name the one/);
  });

  it("retire: is refused until the last token of the key is over, and a day for the roll-out", () => {
    addKnown();
    const { previousNeededUntil } = promote();
    expect(Date.parse(previousNeededUntil)).toBe(Date.now() + 31 * DAY_MS);
    later(31 * DAY_MS - 1);
    expectRefused(() => files().retire(undefined, false), /^It is too early: .+ is needed until 2030-02-01/);
    later(1);
    expect(done(files().retire(undefined, false))).toHaveLength(1);
  });

  it("retire: counts from the latest promotion, so that one whose roll-out was late can be repeated", () => {
    addKnown();
    const first = done(files().promote(undefined, false));
    later(3 * DAY_MS);
    const again = promote();
    expect(Date.parse(again.previousNeededUntil) - Date.parse(first.previousNeededUntil)).toBe(3 * DAY_MS);
  });

  it("retire: is refused for a next key, which may sign where another machine promoted it, and for the one that signs", () => {
    const kid = addKnown();
    expectRefused(() => files().retire(kid, false), /may sign somewhere/);
    const signing = String(files().list()[0]?.kid);
    expectRefused(() => files().retire(signing, true), /^\S+ signs\. Promote another first\.$/);
    expectRefused(() => files().promote(signing, true), / signs already\.$/);
  });

  it("is taken where it is forced", () => {
    const { kid } = done(files().add());
    const { previous } = done(files().promote(undefined, true));
    expect(done(files().retire(kid, true))).toHaveLength(1);
    expect(previous).toBe(files().list()[0]?.kid);
  });

  it("takes only the previous keys that are over", () => {
    addKnown();
    const { previous } = promote();
    later(20 * DAY_MS);
    addKnown();
    promote();
    later(11 * DAY_MS);
    expect(done(files().retire(undefined, false)).map(({ kid }) => kid)).toEqual([previous]);
    expect(states().map(([, state]) => state)).toEqual(["signs", "previous"]);
  });
});

it("says that there is no such key, and changes nothing", () => {
  expectMissing(() => files().promote(undefined, false));
  expectMissing(() => files().promote("unknown", true));
  expectMissing(() => files().retire(undefined, false));
  expectMissing(() => files().retire("unknown", true));
  expect(existsSync(list)).toBe(false);
});
