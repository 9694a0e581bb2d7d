import { createHash } from "node:crypto";
import { isPlainId } from "../tokens/ids";

const DIGEST = "sha256-";

/**
 * How a foreign id (of a token, a session or a subject) appears in Redis keys. Two different ids never get one name.
 */
export const keyIdOf = (id: string) => (isPlainId(id) && !id.startsWith(DIGEST) ? id : digestOf(id));

/** The id of a token without `jti`: a hash of its signed part only, because an ES256 signature has two valid forms. */
export const tokenIdOf = (token: string) => digestOf(token.slice(0, token.lastIndexOf(".")));

const digestOf = (text: string) => `${DIGEST}${createHash("sha256").update(text).digest("hex")}`;
