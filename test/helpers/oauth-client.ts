import { createHash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { call, type Answer } from "./client";

/** What is encoded in a form looks otherwise in one. */
export const CLIENT = { id: "https://api.example.com", secret: "50 % more+ : than is wise ü" };

/** An OAUTH_CLIENTS_FILE. */
export function writeClients(...clients: (typeof CLIENT)[]): string {
  const file = join(mkdtempSync(join(tmpdir(), "curfew-clients-")), "clients.json");
  const entries = clients.map(({ id, secret }) => ({
    client_id: id,
    client_secret_sha256: createHash("sha256").update(secret).digest("hex"),
  }));
  writeFileSync(file, JSON.stringify(entries));
  return file;
}

const formEncode = (text: string) => new URLSearchParams([["", text]]).toString().slice(1);

export const basic = ({ id, secret }: typeof CLIENT) =>
  `Basic ${Buffer.from(`${formEncode(id)}:${formEncode(secret)}`).toString("base64")}`;

/** One request to /oauth, as a client sends it. */
export const askAsClient = (url: string, path: string, form: Record<string, string>): Promise<Answer> =>
  call(url, "POST", path, {
    form: new URLSearchParams(form).toString(),
    headers: { Authorization: basic(CLIENT) },
  });
