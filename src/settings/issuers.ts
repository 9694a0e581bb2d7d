import { readFileSync } from "node:fs";
import { readIssuer, writeFor, type Refuse, type Surroundings } from "./issuer-entry";
import { readNamedFile } from "./named-file";
import type { Reading } from "./reading";
import type { TrustedIssuer } from "../issuers/trusted-issuer";
import { isObject } from "../tokens/json";

/** What is wrong with the list, and what to write instead. */
type Problem = { found: string; write: string };
type Read = { issuers: TrustedIssuer[]; problems: Problem[] };

/** Reads the issuers from the file that the variable names. */
export function readIssuersFile(
  reading: Reading<"text">,
  surroundings: Omit<Surroundings, "readFile" | "inline">,
): TrustedIssuer[] {
  const text = readNamedFile(reading, "issuers");
  return text === undefined ? [] : accept(reading, readListedIssuers(text, { ...surroundings, readFile }));
}

/** Reads the issuers that an app passes as an option. */
export function readAppIssuers(
  reading: Reading<"value">,
  surroundings: Omit<Surroundings, "readFile" | "inline">,
): TrustedIssuer[] {
  const entries = reading.read("issuers") ?? [];
  return accept(reading, readIssuers(entries, { ...surroundings, readFile, inline: true }));
}

const readFile = (name: string) => readFileSync(name, "utf8");

function accept({ refuse }: Pick<Reading<"text">, "refuse">, { issuers, problems }: Read): TrustedIssuer[] {
  for (const { found, write } of problems) refuse("issuers", found, write);
  return issuers;
}

/** Reads a file's list of trusted issuers, and returns everything that is wrong with it. */
export function readListedIssuers(json: string, surroundings: Omit<Surroundings, "inline">): Read {
  const refused = (found: string) => ({
    issuers: [],
    problems: [{ found, write: "a JSON array of issuers" }],
  });
  let list: unknown;
  try {
    list = JSON.parse(json);
  } catch {
    return refused("it is not JSON");
  }
  return Array.isArray(list)
    ? readIssuers(list, { ...surroundings, inline: false })
    : refused("it is not an array");
}

function readIssuers(entries: readonly unknown[], surroundings: Surroundings): Read {
  const problems: Problem[] = [];
  const issuers = entries.flatMap((raw, at) => {
    const refuse: Refuse = (name, found, write = writeFor(name, surroundings)) => {
      problems.push({ found: `[${at}]${name && `.${name}`}: ${found}`, write });
    };
    const earlier = entries.slice(0, at).filter(isObject);
    return readIssuer(raw, earlier, surroundings, refuse) ?? [];
  });
  return { issuers, problems };
}
