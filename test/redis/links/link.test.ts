import { connectTimeoutMs, retryStrategy } from "../../../src/redis/links/link";

it("a Redis that is back is tried again within a second, however long it was away", () => {
  const waits = [1, 2, 20, 21, 100_000].map(retryStrategy);
  expect(waits).toEqual([50, 100, 1000, 1000, 1000]);
});

it("a connection may take a second to be made, or what a request may take, if that is longer", () => {
  expect([1, 250, 3000].map(connectTimeoutMs)).toEqual([1000, 1000, 3000]);
});
