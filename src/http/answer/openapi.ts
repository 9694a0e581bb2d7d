import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { WhySaid } from "../../denylist/entry-text";
import { ERRORS, type ErrorCode } from "../../errors";
import { requireForm } from "../request/body";
import type { Security } from "../request/step";
import { endpointOf, stepsOf, type Endpoint, type Route } from "../router";

export type RouteTable = { base: string; routes: readonly Route[] };

const ErrorAnswer = z.object({
  error: z.string().describe("The status's reason phrase; under `/oauth` one of OAuth's own"),
  error_description: z.string().optional().describe("Under `/oauth`: the message once more"),
  code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  details: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  ...WhySaid.shape,
});

/** A route for all methods is described once for each method that gateways use. */
const ALL_METHODS = ["get", "post", "put", "patch", "delete"];

/** Errors that no route lists: an unsupported method, an unknown path. */
const OTHER = {
  description: "Any other error",
  content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
};

/** Node itself refuses such a request. */
const HEADERS_TOO_LARGE = { description: "The headers have more than 16 KiB. The answer has no body." };

/** Describes the routes by what they run: the schemas that validate and the steps that refuse. */
export function createOpenApi(tables: readonly RouteTable[], accessCookie: string): object {
  const { version, license } = JSON.parse(
    readFileSync(join(__dirname, "../../../package.json"), "utf8"),
  ) as Manifest;
  const paths: Record<string, Record<string, object>> = {};
  const nameOperation = createNames();
  for (const { base, routes } of tables) {
    for (const route of routes) {
      const methods = route[0] === "all" ? ALL_METHODS : [route[0]];
      const path = (paths[pathOf(base + route[1])] ??= {});
      for (const method of methods)
        path[method] = operationOf(base, route, nameOperation(base, method, route));
    }
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Curfew",
      version,
      license: { name: license, identifier: license },
      summary: "A real logout for stateless JWTs",
    },
    // Wherever this description was fetched from.
    servers: [{ url: "/" }],
    paths: hoisted(paths),
    components: {
      schemas: { ...namedIn(paths), Error: jsonSchema(ErrorAnswer, "output") },
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        cookie: { type: "apiKey", in: "cookie", name: accessCookie },
        client: {
          type: "http",
          scheme: "basic",
          description: "Or `client_id` and `client_secret` in the form",
        },
      },
    },
  };
}

/** `any token` may also be a refresh token, in the body or in its own cookie: then none of these is needed. */
const SECURITY: Record<Security, object[]> = {
  token: [{ bearer: [] }, { cookie: [] }],
  "any token": [{ bearer: [] }, { cookie: [] }, {}],
  client: [{ client: [] }],
};

type Manifest = { version: string; license: string };

/**
 * A name for each operation, and no name twice: those of the second version of the API end with V1, and where one route
 * answers several methods, all but GET (or the first) end with theirs.
 */
function createNames() {
  const taken = new Set<string>();
  return function nameOperation(base: string, method: string, route: Route): string {
    const name = endpointOf(route).name + (base.startsWith("/api/v1/") ? "V1" : "");
    const byMethod = `${name}By${method.slice(0, 1).toUpperCase()}${method.slice(1)}`;
    const free = [name, byMethod, `${byMethod}Too`].find((each) => !taken.has(each)) ?? name;
    taken.add(free);
    return free;
  };
}

function operationOf(base: string, route: Route, operationId: string): object {
  const endpoint = endpointOf(route);
  const errors = [...stepsOf(route).flatMap(({ errors }) => errors), ...endpoint.errors, "internal" as const];
  const { security } = [...stepsOf(route), endpoint].find((each) => each.security) ?? {};
  const parameters = [...pathParametersOf(route[1]), ...queryParametersOf(endpoint.query)];
  return {
    operationId,
    summary: endpoint.summary,
    tags: [base === "" ? "others" : base],
    ...(parameters.length > 0 && { parameters }),
    security: security ? SECURITY[security] : [],
    ...(endpoint.body && { requestBody: requestBodyOf(endpoint.body, mediaTypeOf(route)) }),
    responses: { ...successesOf(endpoint), ...refusalsOf(errors), 431: HEADERS_TOO_LARGE, default: OTHER },
  };
}

const pathParametersOf = (path: string) =>
  [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));

const queryParametersOf = (query: Endpoint["query"]) =>
  Object.entries(query?.shape ?? {}).map(([name, part]) => {
    const { description, ...schema } = jsonSchema(part as z.ZodType, "input");
    return { name, in: "query", required: false, ...(description && { description }), schema };
  });

const mediaTypeOf = (route: Route) =>
  stepsOf(route).includes(requireForm) ? "application/x-www-form-urlencoded" : "application/json";

function requestBodyOf(body: z.ZodType, mediaType: string): object {
  const required = !body.safeParse(undefined).success;
  return { required, content: { [mediaType]: { schema: jsonSchema(body, "input") } } };
}

const successesOf = ({ answers }: Endpoint) =>
  Object.fromEntries(
    Object.entries(answers).map(
      ([status, { description, headers, mediaType = "application/json", schema }]) => [
        status,
        {
          description,
          ...(headers && { headers: headersOf(headers) }),
          ...(schema && { content: { [mediaType]: { schema: jsonSchema(schema, "output") } } }),
        },
      ],
    ),
  );

const headersOf = (headers: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: "string" } }]),
  );

/** One answer for each status, with the codes that it may carry and when each occurs. */
function refusalsOf(codes: readonly ErrorCode[]): object {
  const statuses = [...new Set(codes.map((code) => ERRORS[code].status))].sort();
  return Object.fromEntries(
    statuses.map((status) => {
      const here = [...new Set(codes.filter((code) => ERRORS[code].status === status))];
      const schema = {
        allOf: [
          { $ref: "#/components/schemas/Error" },
          { type: "object", properties: { code: { type: "string", enum: here } } },
        ],
      };
      const description = here.map((code) => `\`${code}\`: ${ERRORS[code].when}`).join(" ");
      return [status, { description, content: { "application/json": { schema } } }];
    }),
  );
}

const pathOf = (path: string) => path.replace(/\{\/\*\w+\}$/, "").replace(/:(\w+)/g, "{$1}");

function jsonSchema(schema: z.ZodType, io: "input" | "output") {
  const described = z.toJSONSchema(schema, { io });
  delete described.$schema;
  return described;
}

/** Schemas with an `id` in their meta are described where they are used, under `$defs`. Here they move to one place. */
const DEFINED = "#/$defs/";

/** The named schemas that stand anywhere in `value`. */
function namedIn(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) return {};
  const { $defs, ...rest } = value as { $defs?: object };
  const inside = Object.assign({}, ...Object.values({ ...$defs, ...rest }).map(namedIn)) as object;
  return { ...inside, ...(hoisted($defs ?? {}) as object) };
}

/** The same without `$defs`, and each reference to one leads to the components. */
function hoisted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hoisted);
  if (typeof value === "string" && value.startsWith(DEFINED))
    return `#/components/schemas/${value.slice(DEFINED.length)}`;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, each]) => (name === "$defs" ? [] : [[name, hoisted(each)]])),
  );
}
