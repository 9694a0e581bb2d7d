import { createHash } from "node:crypto";
import { createClientCheck } from "../../../src/http/request/client-guard";

const sha256 = (secret: string) => createHash("sha256").update(secret).digest();
const client = (id: string, secret: string) => ({ id, secretHash: sha256(secret) });

describe("a client's secret", () => {
  const isClient = createClientCheck([client("gateway", "s3cret"), client("other", "else")]);

  it("is that client's alone", () => {
    expect(isClient("gateway", "s3cret")).toBe(true);
    expect(isClient("other", "else")).toBe(true);
    expect(isClient("other", "s3cret")).toBe(false);
    expect(isClient("GATEWAY", "s3cret")).toBe(false);
  });

  it.each(["", " s3cret", "s3cret\n", "S3cret", sha256("s3cret").toString("hex")])("is not %j", (secret) => {
    expect(isClient("gateway", secret)).toBe(false);
  });

  it("is no secret of a client that there isn't, be it empty", () => {
    for (const secret of ["", "s3cret", "else"]) expect(isClient("nobody", secret)).toBe(false);
    expect(createClientCheck([])("", "")).toBe(false);
  });
});
