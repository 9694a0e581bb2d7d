import { z } from "zod";
import { duration } from "./kinds";
import type { Requirement } from "../issuers/foreign-claims";
import {
  algorithmNamed,
  ASYMMETRIC,
  ED25519,
  PUBLIC_KEY_HINT,
  SYMMETRIC,
  type IssuerAlgorithm,
} from "../issuers/issuer-keys";
import {
  readKeySource,
  SECRET_SOURCES,
  SOURCES,
  type IssuerKeySource,
  type Source,
  type Surroundings as KeySurroundings,
} from "../issuers/key-source";
import { CLOCK_ALLOWANCE_SECONDS } from "../tokens/access-tokens";
import type { TrustedIssuer } from "../issuers/trusted-issuer";
import { isObject } from "../tokens/json";

/** `inline`: whether an entry may hold its key itself, as an app's may; a file is no place for a secret. */
export type Surroundings = KeySurroundings & { ownIssuer: string; inline: boolean };

const DEFAULT_CLOCK_LEAD_SECONDS = 5;
const DEFAULT_MAX_LIFETIME_SECONDS = 86_400;

/**
 * No issuer's clock may be ahead by more than our own instances' clocks may be. It is kept short, because after a
 * logout of all devices the user can't sign in again for as long.
 */
const clockLead = duration.text.refine((seconds = NaN) => seconds <= CLOCK_ALLOWANCE_SECONDS);

const text = z.string().min(1).max(255);
const textOrList = z.union([text.transform((one) => [one]), z.array(text).min(1)]);
const typeOrList = z.union([text.transform((one) => [one]), z.array(text.nullable()).min(1)]);
const claimName = z.string().min(1).max(128);

const value = z.union([text, z.number(), z.boolean()]);
const valueOrList = z.union([value.transform((one) => [one]), z.array(value).min(1)]);

/** The members of an issuer. Each description says what to write. */
const MEMBERS = {
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/)
    .describe("1 to 32 of a to z, 0 to 9 and -, different for each issuer"),
  issuer: z
    .string()
    .regex(/^\S{1,255}$/)
    .describe("the exact iss of its tokens, different for each issuer"),
  jwks_uri: z.string().optional().describe("an https URL without a user; plain http outside production only"),
  public_key_file: z
    .string()
    .min(1)
    .optional()
    .describe(`the name of a PEM file with its public key: ${PUBLIC_KEY_HINT}`),
  secret_env: z
    .string()
    .min(1)
    .optional()
    .describe("the name of an environment variable that holds its secret, as strong as our own must be"),
  publicKey: z.string().min(1).optional().describe(`its public key in PEM: ${PUBLIC_KEY_HINT}`),
  secret: z.string().min(1).optional().describe("its secret, as strong as our own must be"),
  audience: textOrList
    .nullable()
    .describe(
      "the aud of its tokens for this service, one or a list, or null to accept its tokens for any audience",
    ),
  logout_audience: textOrList
    .nullable()
    .optional()
    .describe("the aud of its logout tokens, as for audience, or leave it out if that is the same"),
  algorithms: z
    .array(z.enum([...SYMMETRIC, ...ASYMMETRIC, ED25519]))
    .min(1)
    .transform((list) => [...new Set(list.map((each) => algorithmNamed(each) as IssuerAlgorithm))])
    .describe(`a list of ${ASYMMETRIC.join(", ")}; with a secret one of ${SYMMETRIC.join(", ")}`),
  typ: typeOrList
    .optional()
    .describe("the typ in its tokens' headers, one or a list, in which null is none, or leave it out"),
  session_claim: claimName.optional().describe("the name of the claim that has a token's session"),
  token_id_claim: claimName.optional().describe("the name of the claim that has a token's id"),
  subject_claim: claimName.optional().describe("the name of the claim that has a token's subject"),
  require: z
    .record(claimName, valueOrList)
    .optional()
    .describe("an object of claims, each with the value it must have, or a list of values"),
  clock_lead: clockLead
    .optional()
    .describe(`how far its clock may be ahead of ours: 1s to ${CLOCK_ALLOWANCE_SECONDS}s`),
  max_lifetime: duration.text.optional().describe(String(duration.text.description)),
  since_epoch: z.boolean().optional().describe("true or false"),
};
type Issuer = z.ZodObject<typeof MEMBERS>;

/** An issuer as it is written in the list. */
export type IssuerEntry = z.input<Issuer>;

/** The valid members, as read. */
type Entry = Partial<z.output<Issuer>>;

const INLINE: readonly string[] = ["publicKey", "secret"] satisfies Source[];

const sourcesFor = (inline: boolean) => SOURCES.filter((name) => inline || !INLINE.includes(name));
const namesFor = (inline: boolean) => Object.keys(MEMBERS).filter((name) => inline || !INLINE.includes(name));

export const writeFor = (name: keyof IssuerEntry | "", { inline }: Surroundings) =>
  name === "" ? `an object of ${namesFor(inline).join(", ")}` : String(MEMBERS[name].description);

/** Reports what is wrong with one member of one issuer. `found` never quotes the value, because it may be a secret. */
export type Refuse = (name: keyof IssuerEntry | "", found: string, write?: string) => void;

/** Reads one issuer of the list; `earlier` are those before it. Returns undefined if it was refused. */
export function readIssuer(
  raw: unknown,
  earlier: Record<string, unknown>[],
  surroundings: Surroundings,
  refuse: Refuse,
): TrustedIssuer | undefined {
  const entry = readEntry(raw, surroundings, refuse);
  for (const name of ["name", "issuer"] as const) {
    const isRepeated = earlier.some((other) => other[name] === entry[name]);
    if (entry[name] !== undefined && isRepeated) refuse(name, "an earlier issuer has the same");
  }
  if (entry.issuer === surroundings.ownIssuer) refuse("issuer", "it is our own");
  const source = isObject(raw) ? readSource(raw, surroundings, refuse) : undefined;
  const algorithms = source && readAlgorithms(entry, source, refuse);
  const keys = source && readKeys(entry, source, algorithms, surroundings, refuse);
  const { name, issuer, audience, typ, max_lifetime, since_epoch = true } = entry;
  if (name === undefined || issuer === undefined || audience === undefined || !algorithms || !keys) {
    return undefined;
  }
  return {
    ...{ name, issuer, keys, audience, algorithms, typ, sinceEpoch: since_epoch },
    logoutAudience: entry.logout_audience === undefined ? audience : entry.logout_audience,
    claims: {
      subject: entry.subject_claim ?? "sub",
      session: entry.session_claim ?? "sid",
      tokenId: entry.token_id_claim ?? "jti",
    },
    required: Object.entries(entry.require ?? {}).map(([claim, values]): Requirement => ({ claim, values })),
    clockLeadSeconds: entry.clock_lead ?? DEFAULT_CLOCK_LEAD_SECONDS,
    maxLifetimeSeconds: max_lifetime ?? DEFAULT_MAX_LIFETIME_SECONDS,
  };
}

/** Reads the valid members, and reports each invalid one with what to write instead. */
function readEntry(raw: unknown, { inline }: Surroundings, refuse: Refuse): Entry {
  if (!isObject(raw)) {
    refuse("", "it is not an object");
    return {};
  }
  const unknown = unknownNamesIn(raw, namesFor(inline));
  if (unknown !== "") refuse("", `it has ${unknown}`);
  const members = Object.entries(MEMBERS).flatMap(([name, schema]) => {
    const { success, data } = schema.safeParse(raw[name]);
    if (success) return [[name, data]];
    refuse(name as keyof IssuerEntry, raw[name] === undefined ? "it is missing" : "it can't be that");
    return [];
  });
  return Object.fromEntries(members) as Entry;
}

/** Quotes a name only if it looks like one, because somebody may have put a secret there by mistake. */
function unknownNamesIn(raw: Record<string, unknown>, known: readonly string[]): string {
  const names = Object.keys(raw).filter((name) => !known.includes(name));
  const isNameLike = (name: string) => /^[a-z_]{1,24}$/.test(name) || INLINE.includes(name);
  return names.map((name) => (isNameLike(name) ? name : "an unknown name")).join(", ");
}

function readSource(
  raw: Record<string, unknown>,
  { inline }: Surroundings,
  refuse: Refuse,
): Source | undefined {
  const sources = sourcesFor(inline);
  const [source, ...others] = sources.filter((name) => raw[name] !== undefined);
  if (source !== undefined && others.length === 0) return source;
  const found = source === undefined ? "it has no key" : "it has several keys";
  refuse("", found, `one of ${sources.join(", ")}`);
  return undefined;
}

function readAlgorithms({ algorithms }: Entry, source: Source, refuse: Refuse) {
  if (!algorithms) return undefined;
  const family: readonly string[] = SECRET_SOURCES.includes(source) ? SYMMETRIC : ASYMMETRIC;
  const belonging = algorithms.filter((each) => family.includes(each));
  if (belonging.length === 0) refuse("algorithms", `none of them goes with ${source}`);
  else if (belonging.length < algorithms.length) refuse("algorithms", "HS… stands beside others");
  else if (source === "jwks_uri" || algorithms.length === 1) return algorithms;
  else refuse("algorithms", `${source} is one key, and one key has one algorithm`, "that one");
  return undefined;
}

function readKeys(
  entry: Entry,
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
