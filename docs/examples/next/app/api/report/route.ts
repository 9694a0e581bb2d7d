import { verify } from "../../../lib/curfew";

/** An endpoint of the app itself. Curfew's refusal is passed on: `curfew/browser` reads its code. */
export async function GET(request: Request) {
  const verdict = await verify(request);
  if (!verdict.ok) return Response.json(await verdict.json(), { status: verdict.status });
  return Response.json({ text: `Only for ${verdict.headers.get("X-Auth-Subject")}.` });
}
