import { existsSync } from "node:fs";
import { readEnvironment } from "./environment";
import type { Reading } from "./reading";
import type { KeyFileOptions } from "../keys/key-files";
import { readKeyList, type ListedKey } from "../keys/key-list";
import { createKeyRing, NO_KEYS, type KeyRing } from "../keys/key-ring";
import { readPrivateKey, readPrivateKeyFile, readSecret, type SigningKey } from "../keys/keys";

/**
 * A key as text: a secret of 32 bytes or more for HS256, or a private key in PEM (RSA of 2048 bits or more, or P-256).
 */
export type Key = { secret: string } | { privateKey: string };

/** Reads the settings of `curfew keys`, as the service does. But the file with the list of keys needn't exist yet. */
export function readKeySettings(env: NodeJS.ProcessEnv): KeyFileOptions {
  const reading = readEnvironment(env);
  const key = readSigningKey(reading, true);
  const privateKeyFile = reading.read("privateKeyFile");
  const verifyKeysFile = reading.read("verifyKeysFile") ?? "";
  if (verifyKeysFile === "") reading.refuse("verifyKeysFile", "it is not set");
  const listed = existsSync(verifyKeysFile) ? readListedKeys(reading) : [];
  const refreshTtlSeconds = reading.read("refreshTtlSeconds");
  if (!key || reading.problems.length > 0) throw new TypeError(reading.problems.join("\n"));
  return { key, privateKeyFile, listed, verifyKeysFile, refreshTtlSeconds };
}

/** `findKept` returns the key that was made earlier because none was configured; a TypeError means it can't be used. */
export function readSigningKey(
  { read, refuse, nameOf }: Reading<"text">,
  production: boolean,
  findKept?: () => SigningKey | undefined,
): SigningKey | undefined {
  const secret = read("secret");
  const file = read("privateKeyFile");
  if (secret !== undefined && file !== undefined) {
    refuse("secret", `${nameOf("privateKeyFile")} is set too`, "only one of them");
    return undefined;
  }
  try {
    if (secret !== undefined) return readSecret(secret);
    if (file !== undefined) return readPrivateKeyFile(file);
    if (!production) return findKept?.();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    refuse(file === undefined ? "secret" : "privateKeyFile", error.message);
    return undefined;
  }
  refuse("secret", `neither it nor ${nameOf("privateKeyFile")} is set`);
  return undefined;
}

export function readListedKeys({ read, refuse }: Reading<"text">): ListedKey[] {
  const file = read("verifyKeysFile");
  if (file === undefined) return [];
  const { listed, problems } = readKeyList(file);
  for (const problem of problems) refuse("verifyKeysFile", problem);
  return listed;
}

/** Reads the keys that an app passes as an option. Returns undefined if the one that signs was refused. */
export function readKeys({ read, refuse, isGiven }: Reading<"value">): KeyRing | undefined {
  const given = read("keys");
  if (!isGiven("keys")) refuse("keys");

  function readKey(path: string, value: unknown): SigningKey | undefined {
    const [[kind, text] = [], ...more] = Object.entries(value ?? {}) as [string, unknown][];
    try {
      if (kind === "secret" && typeof text === "string" && more.length === 0) return readSecret(text);
      if (kind === "privateKey" && typeof text === "string" && more.length === 0) return readPrivateKey(text);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      refuse(path, error.message);
      return undefined;
    }
    refuse(path, "it is not one secret or one private key");
    return undefined;
  }

  if (given === undefined) return undefined;
  const { verify = [], ...signing } = given;
  const key = readKey("keys", signing);
  if (!Array.isArray(verify)) refuse("keys.verify", undefined, "an array of keys");
  const others = Array.isArray(verify) ? verify.map((each, at) => readKey(`keys.verify[${at}]`, each)) : [];
  return (
    key &&
    createKeyRing(
      key,
      others.filter((each) => each !== undefined),
    )
  );
}

/** A key that would be ignored is a mistake. */
export function readNoKeys({ refuse, isGiven }: Reading<"value">): KeyRing {
  if (isGiven("keys")) refuse("keys", "without accounts, nothing is signed", "nothing");
  return NO_KEYS;
}
