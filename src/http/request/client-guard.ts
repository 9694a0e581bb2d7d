import { createHash, timingSafeEqual } from "node:crypto";
import type { NextFunction, Request, Response } from "express";
import { CurfewError } from "../../errors";
import type { OAuthClient } from "../../settings/clients";
import { authorizationsOf } from "./authorization";
import { knownOf } from "./caller";
import type { Tell } from "./request-log";
import { step, type Step } from "./step";

export type ClientGuardParts = {
  clients: readonly OAuthClient[];
  /** Runs only for requests that are refused. */
  limitTries: Step;
  tell: Tell;
};

/** Requires a client's id and secret. A token in a header or a cookie doesn't count here. */
export function requireClient({ clients, limitTries, tell }: ClientGuardParts): Step {
  const isClient = createClientCheck(clients);
  const nameOf = (id: string | undefined) => clients.find((each) => each.id === id)?.id ?? "unknown";

  function clientGuard(req: Request, res: Response, next: NextFunction): void {
    const { id, secret } = readBasic(req) ?? {};
    if (id !== undefined && secret !== undefined && isClient(id, secret)) {
      knownOf(req).client = id;
      next();
      return;
    }
    limitTries(req, res, (error?: unknown) => {
      if (error !== undefined) {
        next(error);
        return;
      }
      tell(req, "client_refused", { client: nameOf(id) });
      res.set("WWW-Authenticate", 'Basic realm="curfew"');
      next(new CurfewError("invalid_credentials", { raisesEvent: false }));
    });
  }

  return step([...limitTries.errors, "invalid_credentials"], clientGuard, "client");
}

const BASIC = /^basic +(?<encoded>[A-Za-z0-9+/]+={0,2})$/i;

/** Id and secret are each encoded as in a form before they are put together (RFC 6749 §2.3.1). */
function readBasic(req: Request): { id: string; secret: string } | undefined {
  const [header = "", ...repeated] = authorizationsOf(req);
  const encoded = repeated.length === 0 ? BASIC.exec(header)?.groups?.["encoded"] : undefined;
  const [id, secret] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(encoded ?? "", "base64").toString())?.slice(1) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  try {
    return { id: formDecode(id), secret: formDecode(secret) };
  } catch {
    return undefined;
  }
}

const formDecode = (text: string) => decodeURIComponent(text.replaceAll("+", " "));

const sha256 = (text: string) => createHash("sha256").update(text).digest();
const NOBODYS_HASH = sha256("");

/** Returns a function that checks a client's secret. It takes as long for a client that doesn't exist. */
export function createClientCheck(clients: readonly OAuthClient[]) {
  const hashes = new Map(clients.map(({ id, secretHash }) => [id, secretHash]));
  return function isClient(id: string, secret: string): boolean {
    const hash = hashes.get(id);
    const isRight = timingSafeEqual(sha256(secret), hash ?? NOBODYS_HASH);
    return isRight && hash !== undefined;
  };
}
