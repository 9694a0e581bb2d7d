import { createHash } from "node:crypto";
import { readClients } from "../../src/settings/clients";

const sha256 = (secret: string) => createHash("sha256").update(secret).digest("hex");
const client = (change: object = {}) => ({
  client_id: "gateway",
  client_secret_sha256: sha256("s3cret"),
  ...change,
});
const problemsOf = (list: unknown) => readClients(JSON.stringify(list)).problems;

describe("the clients file", () => {
  it("holds the clients' ids, and the hashes of their secrets in either case", () => {
    const list = [
      client(),
      client({ client_id: "https://api.example.com", client_secret_sha256: "AB".repeat(32) }),
    ];
    expect(readClients(JSON.stringify(list))).toEqual({
      clients: [
        { id: "gateway", secretHash: Buffer.from(sha256("s3cret"), "hex") },
        { id: "https://api.example.com", secretHash: Buffer.alloc(32, 0xab) },
      ],
      problems: [],
    });
    expect(readClients("[]")).toEqual({ clients: [], problems: [] });
  });

  it.each([
    ["no JSON", "[{", ["it is not JSON"]],
    ["no array", "{}", ["it is not a JSON array"]],
    ["null", "null", ["it is not a JSON array"]],
  ])("is refused when it is %s", (_what, json, problems) => {
    expect(readClients(json)).toEqual({ clients: [], problems });
  });

  it.each([
    ["a client that is none", "hunter2", "[0]: it is not a JSON object"],
    ["no id", client({ client_id: undefined }), "[0].client_id: it is not a string"],
    [
      "an empty id",
      client({ client_id: "" }),
      "[0].client_id: it is not 1 to 128 ASCII letters, digits and signs",
    ],
    [
      "a long id",
      client({ client_id: "x".repeat(129) }),
      "[0].client_id: it is not 1 to 128 ASCII letters, digits and signs",
    ],
    [
      "a line break in it",
      client({ client_id: "a\nb" }),
      "[0].client_id: it is not 1 to 128 ASCII letters, digits and signs",
    ],
    ["no hash", client({ client_secret_sha256: undefined }), "[0].client_secret_sha256: it is not a string"],
    [
      "the secret itself",
      client({ client_secret_sha256: "hunter2" }),
      "[0].client_secret_sha256: it is not a SHA-256 in 64 hexadecimal digits",
    ],
    [
      "what sha256sum prints",
      client({ client_secret_sha256: `${sha256("x")}  -` }),
      "[0].client_secret_sha256: it is not a SHA-256 in 64 hexadecimal digits",
    ],
    [
      "the hash of nothing",
      client({ client_secret_sha256: sha256("") }),
      "[0].client_secret_sha256: it is the hash of an empty secret",
    ],
    ["a name that isn't known", client({ hunter2: 1 }), "[0]: it has an unknown name"],
  ])("is refused when it holds %s, and repeats nothing of it", (_what, entry, problem) => {
    expect(problemsOf([entry])).toEqual([problem]);
  });

  it("is refused when two clients have one id; all that is wrong is told at once", () => {
    expect(problemsOf([client(), client({ client_id: "other" }), client()])).toEqual([
      "[2].client_id: it is the same as in [0]",
    ]);
    expect(problemsOf([client({ client_id: 1 }), client({ client_secret_sha256: "" })])).toHaveLength(2);
  });
});
