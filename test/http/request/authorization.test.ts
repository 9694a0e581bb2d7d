import { authorizationsOf } from "../../../src/http/request/authorization";

it("finds every Authorization header, in any spelling, and nothing else", () => {
  const rawHeaders = ["Host", "authorization", "AUTHORIZATION", "Bearer a", "X-Authorization", "b"];
  expect(authorizationsOf({ rawHeaders })).toEqual(["Bearer a"]);
  expect(authorizationsOf({ rawHeaders: [...rawHeaders, "authorization", ""] })).toEqual(["Bearer a", ""]);
  expect(authorizationsOf({ rawHeaders: [] })).toEqual([]);
});
