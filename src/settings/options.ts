import type { z } from "zod";
import { checkTogether } from "./checks";
import type { IssuerEntry } from "./issuer-entry";
import { readAppIssuers } from "./issuers";
import { readKeys, readNoKeys, type Key } from "./keys";
import { readLog, type Log } from "./log";
import { createReading, type Reading } from "./reading";
import { readAppRedis, timeoutFor } from "./redis";
import {
  OPTION_NAMES,
  SETTING_NAMES,
  TABLE,
  type Group,
  type OptionName,
  type Row,
  type Table,
} from "./table";
import type { Accounts } from "../accounts/accounts";
import { readAccounts } from "../accounts/app-accounts";
import type { AppClient } from "../redis/app-client";
import { readsAsForeign } from "../tokens/ids";
import type { TrustedIssuer } from "../issuers/trusted-issuer";
import { isObject } from "../tokens/json";

/** Members may be left out or be undefined: an app often passes on a setting that isn't set. */
type Optional<T> = { [Name in keyof T]?: T[Name] | undefined };

/** The type of a row's option, unless a file beside the table checks it. */
type Given<R> = R extends { members: infer Members; kind: { value: z.ZodType<infer IsOn> } }
  ? Optional<{ [Name in keyof Members]: Given<Members[Name]> }> | (false extends IsOn ? false : never)
  : R extends { kind: { value: z.ZodType<unknown, infer Value> } }
    ? Value
    : never;

type Judged = {
  redis: AppClient | string;
  keys: Key & { verify?: readonly Key[] | undefined };
  issuers: readonly IssuerEntry[];
  accounts: Accounts;
  log: Log;
};

type All = {
  [Name in keyof Pick<Table, OptionName>]: Name extends keyof Judged ? Judged[Name] : Given<Table[Name]>;
};

/** Without accounts there are no tokens of Curfew's own, and so no keys. */
type WithAccounts = Pick<All, "keys"> & Optional<Pick<All, "accounts">>;
type WithoutAccounts = { accounts: false; keys?: undefined };

export type CurfewOptions = Pick<All, "redis"> &
  Optional<Omit<All, "redis" | "keys" | "accounts">> &
  (WithAccounts | WithoutAccounts);

const isOption = (name: string): name is OptionName => OPTION_NAMES.some((each) => each === name);
const PLAIN_NAMES = SETTING_NAMES.filter(isOption);

/** Reads every option once, or throws one TypeError with a line for each that is wrong. It never quotes a value. */
export function readOptions(options: unknown, env: NodeJS.ProcessEnv) {
  if (!isObject(options))
    throw new TypeError("createCurfew: its options are not an object, write { redis, keys }");
  const reading = readGiven(options);
  const settings = reading.readAll(PLAIN_NAMES);
  const production = env["NODE_ENV"] === "production";
  const redis = readAppRedis(reading, production);
  const hasAccounts = options["accounts"] !== false;
  const keys = hasAccounts ? readKeys(reading) : readNoKeys(reading);
  const issuers = readAppIssuers(reading, {
    production,
    ownIssuer: settings.issuer,
    // If the keys were refused, there are none to compare with.
    ownKeys: keys?.all ?? [],
    env,
  });
  const accounts = hasAccounts ? readAppAccounts(reading, issuers) : undefined;
  const log = readLog(reading);
  checkTogether(reading, { ...settings, redis });
  refuseUnknown(reading, options);
  const { problems } = reading;
  if (problems.length > 0 || !redis || !keys) throw new TypeError(["createCurfew:", ...problems].join("\n"));
  const timeoutMs = timeoutFor(redis, settings.timeoutMs);
  return { ...settings, timeoutMs, redis, keys, issuers, hasAccounts, accounts, log };
}

/** An app may run anywhere, so production's defaults apply. */
const readGiven = (options: Record<string, unknown>): Reading<"value"> =>
  createReading({
    side: "value",
    isProduction: true,
    give(path) {
      const [name = "", member] = path.split(".");
      const given = options[name];
      if (member === undefined) return given;
      return isObject(given) ? given[member] : undefined;
    },
    nameOf: (path) => path,
    quote: () => undefined,
  });

/** An unknown name is a typo, or somebody relies on an option that doesn't exist. */
function refuseUnknown({ refuse }: Reading<"value">, options: Record<string, unknown>): void {
  const check = (given: object, known: readonly string[], prefix = ""): void => {
    for (const name of Object.keys(given).filter((each) => !known.includes(each))) {
      refuse(`${prefix}${name.slice(0, 40)}`, "there is no such option", `one of ${known.join(", ")}`);
    }
  };
  check(options, OPTION_NAMES);
  for (const name of OPTION_NAMES) {
    const [row, given]: [Row | Group, unknown] = [TABLE[name], options[name]];
    if ("members" in row && isObject(given)) check(given, Object.keys(row.members), `${name}.`);
  }
}

function readAppAccounts(
  { read, refuse, isGiven }: Reading<"value">,
  issuers: readonly TrustedIssuer[],
): Accounts | undefined {
  if (!isGiven("accounts")) return undefined;
  try {
    const names = issuers.map(({ name }) => name);
    return readAccounts(read("accounts"), (id) => readsAsForeign(id, names));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    refuse("accounts", error.message);
    return undefined;
  }
}
