import { createHmac } from "node:crypto";

type Json = Record<string, unknown>;

export const encode = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

export const decodePart = (token: string, part: 0 | 1) =>
  JSON.parse(Buffer.from(token.split(".")[part] ?? "", "base64url").toString()) as Json;

export const signHs256 = (signingInput: string, secret: string | Buffer) =>
  createHmac("sha256", secret).update(signingInput).digest("base64url");

/** A token made by hand: header and claims may be anything, the signature is right. Text is taken as it stands. */
export function forge(header: unknown, claims: unknown, secret: string | Buffer): string {
  const signingInput = `${encode(header)}.${encode(claims)}`;
  return `${signingInput}.${signHs256(signingInput, secret)}`;
}

/** A genuine token with one thing changed, and signed again. */
export const vary = (
  token: string,
  secret: string,
  { header = {}, claims = {} }: { header?: Json; claims?: Json },
) => forge({ ...decodePart(token, 0), ...header }, { ...decodePart(token, 1), ...claims }, secret);
