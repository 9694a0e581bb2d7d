import { z } from "zod";
import { endpoint, type Route } from "../router";

const PATH = "/.well-known/oauth-authorization-server";
const AUTH_METHODS = ["client_secret_basic", "client_secret_post"];

const Metadata = z
  .object({
    issuer: z.url(),
    jwks_uri: z.url(),
    ...{ revocation_endpoint: z.url(), introspection_endpoint: z.url() },
    revocation_endpoint_auth_methods_supported: z.array(z.string()),
    introspection_endpoint_auth_methods_supported: z.array(z.string()),
    response_types_supported: z.array(z.string()),
  })
  .meta({ id: "OAuthMetadata" });

/**
 * Where clients find what they need, by the issuer alone (RFC 8414). If the issuer isn't a URL, there is no such
 * route. If it has a path, clients ask under that path, appended (§3.1); the endpoints are where the service is, at the
 * root of the host.
 */
export function createServerMetadata(issuer: string): Route[] {
  if (!/^https?:/i.test(issuer) || !URL.canParse(issuer)) return [];
  const { origin, pathname } = new URL(issuer);
  const metadata = {
    issuer,
    jwks_uri: `${origin}/.well-known/jwks.json`,
    revocation_endpoint: `${origin}/oauth/revoke`,
    introspection_endpoint: `${origin}/oauth/introspect`,
    revocation_endpoint_auth_methods_supported: AUTH_METHODS,
    introspection_endpoint_auth_methods_supported: AUTH_METHODS,
    // It isn't an authorization server: nobody gets a token here in exchange for a consent.
    response_types_supported: [],
  } satisfies z.infer<typeof Metadata>;
  const describe = endpoint({
    name: "oauthMetadata",
    summary: "What OAuth clients need to know of this service (RFC 8414)",
    answers: { 200: { description: "The endpoints, and how clients authenticate", schema: Metadata } },
    handle(_req, res) {
      res.json(metadata);
    },
  });
  // A path of letters that mean something to Express is left to the first route.
  const path = pathname.replace(/\/+$/, "");
  const isPlain = /^[\w./~-]*$/.test(path);
  return [
    ["get", PATH, describe],
    ...(path !== "" && isPlain ? [["get", PATH + path, describe] satisfies Route] : []),
  ];
}
