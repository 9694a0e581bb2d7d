import { readPublicKey, type IssuerAlgorithm, type IssuerKey } from "./issuer-keys";
import { readSecret, type SigningKey } from "../keys/keys";

/** Where a trusted issuer's keys come from: the URL where it publishes them, or its one key. */
export type IssuerKeySource = { readonly jwksUri: string } | IssuerKey;

/** The members of an entry that say where its keys are. An app may write the last two, but no file. */
export const SOURCES = ["jwks_uri", "public_key_file", "secret_env", "publicKey", "secret"] as const;

export type Source = (typeof SOURCES)[number];

/** Those that hold a secret, for HS…; the others hold public keys. */
export const SECRET_SOURCES: readonly Source[] = ["secret_env", "secret"];

export type Surroundings = {
  production: boolean;
  /** Every key that verifies own tokens. */
  ownKeys: readonly SigningKey[];
  env: NodeJS.ProcessEnv;
  readFile: (name: string) => string;
};

/**
 * Throws a TypeError that says why the source can't be used, but never quotes it. If `algorithms` was refused, it
 * returns no key, but still reports what else is wrong.
 */
export function readKeySource(
  source: Source,
  value: string,
  algorithms: readonly IssuerAlgorithm[] | undefined,
  { production, ownKeys, env, readFile }: Surroundings,
): IssuerKeySource | undefined {
  switch (source) {
    case "jwks_uri":
      return { jwksUri: readJwksUri(value, production) };
    case "public_key_file":
      return readOnePublicKey(readText(value, readFile), algorithms, ownKeys);
    case "publicKey":
      return readOnePublicKey(value, algorithms, ownKeys);
    case "secret_env":
      return readOneSecret(readVariable(value, env), algorithms, ownKeys);
    case "secret":
      return readOneSecret(value, algorithms, ownKeys);
  }
}

type Algorithms = readonly IssuerAlgorithm[] | undefined;

function readOnePublicKey(pem: string, algorithms: Algorithms, ownKeys: readonly SigningKey[]) {
  const key = algorithms && readPublicKey(pem, algorithms);
  if (key) assertNotOurs(key, ownKeys);
  return key;
}

function readOneSecret(secret: string, algorithms: Algorithms, ownKeys: readonly SigningKey[]) {
  const { verifyWith } = readSecret(secret);
  assertNotOurs({ verifyWith }, ownKeys);
  const [algorithm] = algorithms ?? [];
  return algorithm && { algorithm, verifyWith };
}

function readJwksUri(text: string, production: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "https:" && url?.protocol !== "http:") throw new TypeError("it is not an https URL");
  if (url.username !== "" || url.password !== "") throw new TypeError("it holds a user or a password");
  if (url.protocol === "http:" && production) throw new TypeError("it is plain http, in production");
  return url.href;
}

function readText(name: string, readFile: Surroundings["readFile"]): string {
  try {
    return readFile(name);
  } catch (cause) {
    throw new TypeError(`it can't be read (${String((cause as NodeJS.ErrnoException).code)})`, { cause });
  }
}

/** An issuer with one of our keys could forge own tokens. Keys that it publishes can't be compared before a fetch. */
function assertNotOurs({ verifyWith }: Pick<IssuerKey, "verifyWith">, ownKeys: readonly SigningKey[]): void {
  if (ownKeys.some((own) => own.verifyWith.equals(verifyWith))) {
    throw new TypeError("it holds one of our own keys");
  }
}

function readVariable(name: string, env: NodeJS.ProcessEnv): string {
  const secret = env[name] ?? "";
  if (secret === "") throw new TypeError("there is no such variable, or it is empty");
  return secret;
}
