import { existsSync } from "node:fs";
import { createSettings, durationSeconds, type Settings } from "./settings";
import type { KeyFileOptions } from "../keys/key-files";
import { readKeyList, type ListedKey } from "../keys/key-list";
import { readPrivateKeyFile, readSecret, type SigningKey } from "../keys/keys";

/** The settings of `curfew keys`, read as the service reads them; but the list of keys, it can make. */
export function readKeySettings(env: NodeJS.ProcessEnv): KeyFileOptions {
  const settings = createSettings(env);
  const { text, refuse, problems } = settings;
  const key = readKey(settings, true);
  const verifyKeysFile = text("JWT_VERIFY_KEYS_FILE");
  if (verifyKeysFile === undefined) refuse("JWT_VERIFY_KEYS_FILE", "it is not set", KEY_LIST_HINT);
  const listed = existsSync(verifyKeysFile ?? "") ? readListedKeys(settings) : [];
  const refreshTtlSeconds = readRefreshTtl(settings);
  if (!key || verifyKeysFile === undefined || problems.length > 0) throw new TypeError(problems.join("\n"));
  return { key, privateKeyFile: text("JWT_PRIVATE_KEY_FILE"), listed, verifyKeysFile, refreshTtlSeconds };
}

export const readRefreshTtl = ({ read }: Settings) => read("REFRESH_TTL", durationSeconds, 30 * 86_400);

/** `findKept`: a key that was made earlier, because none was configured; it throws a TypeError if it can't be used. */
export function readKey(
  { text, refuse }: Settings,
  production: boolean,
  findKept?: () => SigningKey | undefined,
): SigningKey | undefined {
  const secret = text("JWT_SECRET");
  const file = text("JWT_PRIVATE_KEY_FILE");
  if (secret !== undefined && file !== undefined) {
    refuse("JWT_SECRET", "JWT_PRIVATE_KEY_FILE is set too", "only one of them");
    return undefined;
  }
  try {
    if (secret !== undefined) return readSecret(secret);
    if (file !== undefined) return readPrivateKeyFile(file);
    if (!production) return findKept?.();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    if (file !== undefined) refuse("JWT_PRIVATE_KEY_FILE", error.message, FILE_HINT);
    else refuse("JWT_SECRET", error.message, SECRET_HINT);
    return undefined;
  }
  refuse("JWT_SECRET", "neither it nor JWT_PRIVATE_KEY_FILE is set", SECRET_HINT);
  return undefined;
}

export function readListedKeys({ text, refuse }: Settings): ListedKey[] {
  const file = text("JWT_VERIFY_KEYS_FILE");
  if (file === undefined) return [];
  const { listed, problems } = readKeyList(file);
  for (const problem of problems) refuse("JWT_VERIFY_KEYS_FILE", problem, KEY_LIST_HINT);
  return listed;
}

const SECRET_HINT = "the output of `openssl rand -base64 48`, or set JWT_PRIVATE_KEY_FILE";
const KEY_LIST_HINT =
  'the name of a JSON file with the next and the previous keys: [{"secret": "…"}, {"private_key": "…"}, {"private_key_file": "…"}]';
const FILE_HINT = "the name of a PEM file with an RSA (2048 bits or more) or P-256 private key";
