import { resolve } from "node:path";
import { readKeySettings } from "../settings/keys";
import {
  createKeyFiles,
  type KeyFileOptions,
  type KnownKey,
  type Outcome,
  type Promoted,
} from "../keys/key-files";
import { PUBLISHED_KEYS_MAX_AGE_SECONDS } from "../keys/key-ring";
import { EXIT, fail, print, usageOf, type Command } from "./command";
import { asksForHelp } from "./step";
import { table } from "./table";

type KeyFiles = ReturnType<typeof createKeyFiles>;

/** The arguments of a step: options, and the `kid` of a key. */
type Words = { options: Set<string>; kid: string | undefined };

type Step = {
  line: string;
  does: string;
  options: readonly string[];
  takesKid: boolean;
  run(files: KeyFiles, words: Words, settings: KeyFileOptions): number;
};

const MINUTES = PUBLISHED_KEYS_MAX_AGE_SECONDS / 60;

const ALGORITHMS = { "--es256": "ES256", "--rs256": "RS256", "--hs256": "HS256" } as const;

const STEPS: Record<string, Step> = {
  list: {
    line: "keys list [--json]",
    does: "Lists the keys: which one signs, which is next, which are previous",
    options: ["--json"],
    takesKid: false,
    run: (files, { options }) =>
      print(
        options.has("--json") ? `${JSON.stringify(files.list().map(jsonOf), null, 2)}\n` : listing(files),
      ),
  },
  add: {
    line: "keys add [--es256 | --rs256 | --hs256]",
    does: "Makes the next key, which only verifies for now",
    options: Object.keys(ALGORITHMS),
    takesKid: false,
    run(files, { options }, { verifyKeysFile }) {
      const [option, ...others] = Object.entries(ALGORITHMS).filter(([name]) => options.has(name));
      if (others.length > 0) return misused();
      return tell(files.add(option?.[1]), ({ kid, algorithm }) => added(kid, algorithm, verifyKeysFile));
    },
  },
  promote: {
    line: "keys promote [KID] [--force]",
    does: "Makes the next key, or KID, sign; the one that signed then only verifies",
    options: ["--force"],
    takesKid: true,
    run: (files, { kid, options }, settings) =>
      tell(files.promote(kid, options.has("--force")), (done) => promoted(done, settings)),
  },
  retire: {
    line: "keys retire [KID] [--force]",
    does: "Drops the previous keys that are no longer needed, or KID",
    options: ["--force"],
    takesKid: true,
    run(files, { kid, options }, { verifyKeysFile }) {
      if (kid === undefined && options.has("--force")) return misused();
      return tell(files.retire(kid, options.has("--force")), (done) => retired(done, verifyKeysFile));
    },
  },
};

/** Changes keys step by step, in the files that JWT_PRIVATE_KEY_FILE and JWT_VERIFY_KEYS_FILE name. */
export const keys: Command = {
  usage: Object.values(STEPS).map(({ line, does }) => [line, does]),

  run([name = "", ...args], env) {
    if (asksForHelp(name)) return print(usageOf([keys]));
    const step = Object.hasOwn(STEPS, name) ? STEPS[name] : undefined;
    const words = step && readWords(step, args);
    if (!step || !words) return misused();
    let settings: KeyFileOptions;
    try {
      settings = readKeySettings(env);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return fail(
        EXIT.misconfigured,
        `The keys can't be changed with this configuration.\n${error.message}\n`,
      );
    }
    try {
      return step.run(createKeyFiles(settings), words, settings);
    } catch (error) {
      if (!(error instanceof Error && "syscall" in error)) throw error;
      return fail(EXIT.misconfigured, `A file of keys can't be written. ${error.message}\n`);
    }
  },
};

const misused = () => fail(EXIT.misused, usageOf([keys]));

/** Not with parseArgs, because a kid may begin with a hyphen. */
function readWords({ options: known, takesKid }: Step, args: string[]): Words | undefined {
  const options = new Set(args.filter((word) => /^--[a-z0-9]{1,8}$/.test(word)));
  const [kid, ...more] = args.filter((word) => !options.has(word));
  if (more.length > 0 || (kid !== undefined && !takesKid)) return undefined;
  return [...options].every((option) => known.includes(option)) ? { options, kid } : undefined;
}

function tell<T>(outcome: Outcome<T>, say: (done: T) => string): number {
  if ("done" in outcome) return print(say(outcome.done));
  if ("missing" in outcome) return fail(EXIT.missing, `${outcome.missing}\n`);
  return fail(EXIT.misused, `${outcome.refused}\n`);
}

const listing = (files: KeyFiles) =>
  table([
    ["KID", "ALGORITHM", "STATE"],
    ...files.list().map((key) => [key.kid, key.algorithm, stateOf(key)]),
  ]);

function stateOf({ state, addedAt, neededUntil }: KnownKey): string {
  if (state === "signs") return "signs";
  if (state === "next") return addedAt === undefined ? "next" : `next, added at ${addedAt}`;
  return `previous, needed until ${String(neededUntil)}`;
}

const jsonOf = ({ kid, algorithm, state, addedAt, neededUntil }: KnownKey) => ({
  kid,
  algorithm,
  state,
  added_at: addedAt ?? null,
  needed_until: neededUntil ?? null,
});

const added = (kid: string, algorithm: string, file: string) => `\
${kid} (${algorithm}) is the next key. It is in ${resolve(file)} and verifies, but doesn't sign.

Now
1. bring that file to every instance, as JWT_VERIFY_KEYS_FILE, and restart them one by one:
   each logs "msg":"keys" with the kids it knows;
2. wait ${MINUTES} minutes after the last restart, so that whoever keeps /.well-known/jwks.json has read it again;
3. curfew keys promote
`;

function promoted(done: Promoted, settings: KeyFileOptions): string {
  const { kid, algorithm, previous, previousNeededUntil } = done;
  const list = resolve(settings.verifyKeysFile);
  return `\
${kid} (${algorithm}) is to sign. ${previous} is to verify only.

Now, within a day (docs/keys.md says what to do later)
1. first bring ${list} to every instance: it holds both keys;
2. then ${whereTo(done, settings, list)}
   and restart them one by one;
3. after ${previousNeededUntil}, when no token of ${previous} lives any more: curfew keys retire
`;
}

function whereTo({ privateKeyFile }: Promoted, settings: KeyFileOptions, list: string): string {
  const wasSecret = settings.privateKeyFile === undefined;
  if (privateKeyFile !== undefined) {
    const unset = wasSecret ? " instead of JWT_SECRET" : "";
    return `bring ${resolve(privateKeyFile)} to every instance, as JWT_PRIVATE_KEY_FILE${unset};`;
  }
  const command = `node -p 'JSON.parse(fs.readFileSync(${JSON.stringify(list)}))[0].secret'`;
  return `set JWT_SECRET${wasSecret ? "" : " instead of JWT_PRIVATE_KEY_FILE"} to what this prints: ${command}`;
}

const retired = (gone: KnownKey[], file: string) => `\
${gone.map(({ kid }) => kid).join(", ")} is gone from ${resolve(file)}.

Now bring that file to every instance and restart them one by one.
`;
