import { z } from "zod";
import { durationSeconds } from "./settings";
import type { TrustedIssuer } from "../issuers/foreign-tokens";
import { ASYMMETRIC, PUBLIC_KEY_HINT, SYMMETRIC, type IssuerAlgorithm } from "../issuers/issuer-keys";
import {
  readKeySource,
  SOURCES,
  type IssuerKeySource,
  type Source,
  type Surroundings as KeySurroundings,
} from "../issuers/key-source";

type Surroundings = KeySurroundings & { ownIssuer: string };

const DEFAULT_CLOCK_LEAD_SECONDS = 5;
/** For so long, after all of somebody's devices were logged out, they can't sign in again. */
const MAX_CLOCK_LEAD_SECONDS = 30;
const DEFAULT_MAX_LIFETIME_SECONDS = 86_400;

const duration = (maxSeconds = Infinity) =>
  z.string().refine((text) => (durationSeconds.parse(text) ?? NaN) <= maxSeconds);

const ISSUER = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,32}$/),
  issuer: z.string().regex(/^\S{1,255}$/),
  jwks_uri: z.string().optional(),
  public_key_file: z.string().min(1).optional(),
  secret_env: z.string().min(1).optional(),
  audience: z.string().min(1).nullable(),
  algorithms: z.array(z.enum([...SYMMETRIC, ...ASYMMETRIC])).min(1),
  typ: z.string().min(1).optional(),
  clock_lead: duration(MAX_CLOCK_LEAD_SECONDS).optional(),
  max_lifetime: duration().optional(),
  since_epoch: z.boolean().optional(),
});

/** An issuer as it stands in the list. */
export type IssuerEntry = z.infer<typeof ISSUER>;

const WRITE: Record<keyof IssuerEntry, string> = {
  name: "1 to 32 of a to z, 0 to 9 and -, another for each issuer",
  issuer: "what its tokens say as iss, exactly, another for each issuer",
  jwks_uri: "an https URL without a user; plain http on loopback only, and not in production",
  public_key_file: `the name of a PEM file with its public key: ${PUBLIC_KEY_HINT}`,
  secret_env: "the name of an environment variable that holds its secret, as strong as JWT_SECRET must be",
  audience: "what its tokens for us say as aud, or null to accept its tokens for anybody",
  algorithms: `a list of ${ASYMMETRIC.join(", ")}; with secret_env one of ${SYMMETRIC.join(", ")}`,
  typ: "what its tokens' headers say as typ, or leave it out",
  clock_lead: "how far its clock may be ahead of ours: 1s to 30s",
  max_lifetime: durationSeconds.expects,
  since_epoch: "true or false",
};

/** Says what is wrong with one member of one issuer. `found` never repeats what stands there: it may be a secret. */
type Refuse = (name: keyof IssuerEntry | "", found: string, write?: string) => void;

/** Reads the list of trusted issuers, or throws one TypeError with a line for everything that is wrong with it. */
export const readTrustedIssuers = (json: string, surroundings: Surroundings) =>
  readIssuers(readList(json), surroundings);

/** The same, of a list that needn't be read first. */
export function readIssuers(entries: readonly unknown[], surroundings: Surroundings): TrustedIssuer[] {
  const problems: string[] = [];
  const issuers = entries.flatMap((raw, at) => {
    const refuse: Refuse = (name, found, write) => {
      const place = `[${at}]${name && `.${name}`}`;
      problems.push(`${place}: ${found}, write ${write ?? (name === "" ? MEMBERS : WRITE[name])}`);
    };
    const earlier = entries.slice(0, at).filter(isObject);
    return readIssuer(raw, earlier, surroundings, refuse) ?? [];
  });
  if (problems.length > 0) throw new TypeError(problems.join("\n"));
  return issuers;
}

const MEMBERS = `an object of ${Object.keys(WRITE).join(", ")}`;

function readList(json: string): unknown[] {
  let list: unknown;
  try {
    list = JSON.parse(json);
  } catch {
    throw new TypeError("[]: it is not JSON, write a JSON array of issuers");
  }
  if (!Array.isArray(list)) throw new TypeError("[]: it is not an array, write a JSON array of issuers");
  return list as unknown[];
}

function readIssuer(
  raw: unknown,
  earlier: Record<string, unknown>[],
  surroundings: Surroundings,
  refuse: Refuse,
): TrustedIssuer | undefined {
  const entry = readEntry(raw, refuse);
  for (const name of ["name", "issuer"] as const) {
    const isRepeated = earlier.some((other) => other[name] === entry[name]);
    if (entry[name] !== undefined && isRepeated) refuse(name, "an earlier issuer has the same");
  }
  if (entry.issuer === surroundings.ownIssuer) refuse("issuer", "it is our own (JWT_ISSUER)");
  const source = isObject(raw) ? readSource(raw, refuse) : undefined;
  const algorithms = source && readAlgorithms(entry, source, refuse);
  const keys = source && readKeys(entry, source, algorithms, surroundings, refuse);
  const { name, issuer, audience, typ, clock_lead = "", max_lifetime = "", since_epoch = true } = entry;
  if (name === undefined || issuer === undefined || audience === undefined || !algorithms || !keys) {
    return undefined;
  }
  return {
    ...{ name, issuer, keys, audience, algorithms, typ, sinceEpoch: since_epoch },
    clockLeadSeconds: durationSeconds.parse(clock_lead) ?? DEFAULT_CLOCK_LEAD_SECONDS,
    maxLifetimeSeconds: durationSeconds.parse(max_lifetime) ?? DEFAULT_MAX_LIFETIME_SECONDS,
  };
}

/** The members that are as they should be; of the others it is said what they should be. */
function readEntry(raw: unknown, refuse: Refuse): Partial<IssuerEntry> {
  const { error } = ISSUER.safeParse(raw);
  const sound: Record<string, unknown> = isObject(raw) ? { ...raw } : {};
  for (const name of new Set(error?.issues.map(({ path }) => path[0] as keyof IssuerEntry | undefined))) {
    if (name !== undefined) refuse(name, sound[name] === undefined ? "it is missing" : "it can't be that");
    else refuse("", isObject(raw) ? `it has ${unknownNamesIn(raw)}` : "it is not an object");
    Reflect.deleteProperty(sound, name ?? "");
  }
  return sound;
}

/** Only what looks like the name of a member: a secret may stand there by mistake. */
function unknownNamesIn(raw: Record<string, unknown>): string {
  const names = Object.keys(raw).filter((name) => !Object.hasOwn(WRITE, name));
  return names.map((name) => (/^[a-z_]{1,24}$/.test(name) ? name : "a name that is not known")).join(", ");
}

function readSource(raw: Record<string, unknown>, refuse: Refuse): Source | undefined {
  const [source, ...others] = SOURCES.filter((name) => raw[name] !== undefined);
  if (source !== undefined && others.length === 0) return source;
  const found = source === undefined ? "it has no key" : "it has several keys";
  refuse("", found, `one of ${SOURCES.join(", ")}`);
  return undefined;
}

function readAlgorithms({ algorithms }: Partial<IssuerEntry>, source: Source, refuse: Refuse) {
  if (!algorithms) return undefined;
  const family: readonly string[] = source === "secret_env" ? SYMMETRIC : ASYMMETRIC;
  const belonging = algorithms.filter((each) => family.includes(each));
  if (belonging.length === 0) refuse("algorithms", `none of them goes with ${source}`);
  else if (belonging.length < algorithms.length) refuse("algorithms", "HS… stands beside others");
  else if (source === "jwks_uri" || algorithms.length === 1) return algorithms;
  else refuse("algorithms", `${source} is one key, and one key has one algorithm`, "that one");
  return undefined;
}

function readKeys(
  entry: Partial<IssuerEntry>,
  source: Source,
  algorithms: IssuerAlgorithm[] | undefined,
  surroundings: Surroundings,
  refuse: Refuse,
): IssuerKeySource | undefined {
  const value = entry[source];
  if (value === undefined) return undefined;
  try {
    return readKeySource(source, value, algorithms, surroundings);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    refuse(source, error.message);
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
