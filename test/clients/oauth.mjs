// Libraries of others, each with its defaults, against a service: its issuer, a token of it, and a client's credentials.
import express from "express";
import { auth } from "express-oauth2-jwt-bearer";
import * as oauth from "oauth4webapi";
import * as client from "openid-client";

const { issuer, token, refused, id, secret } = JSON.parse(process.argv[2]);
const server = new URL(issuer);
const overHttp = { [oauth.allowInsecureRequests]: true };

async function byOpenidClient() {
  const config = await client.discovery(server, id, secret, undefined, {
    algorithm: "oauth2",
    execute: [client.allowInsecureRequests],
  });
  const ask = () => client.tokenIntrospection(config, token);
  const before = await ask();
  await client.tokenRevocation(config, token);
  const { active } = await ask();
  const wrong = new client.Configuration(config.serverMetadata(), id, "wrong");
  client.allowInsecureRequests(wrong);
  const refusal = await client.tokenIntrospection(wrong, token).catch((error) => error);
  return { before, after: active, refusal: refusal.status };
}

async function byOauth4webapi() {
  const discovered = await oauth.discoveryRequest(server, { algorithm: "oauth2", ...overHttp });
  const as = await oauth.processDiscoveryResponse(server, discovered);
  const request = new Request("https://api.example.com/", { headers: { Authorization: `Bearer ${token}` } });
  return oauth.validateJwtAccessToken(as, request, "curfew", overHttp);
}

async function byJwtBearer() {
  const app = express();
  app.get("/", auth({ issuerBaseURL: issuer, audience: "curfew" }), (req, res) => res.json(req.auth.payload));
  app.use((error, _req, res, next) => {
    if (res.headersSent) next(error);
    else res.status(error.status ?? 500).json({ message: error.message });
  });
  const listening = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => listening.once("listening", resolve));
  const ask = async (bearer) => {
    const response = await fetch(`http://127.0.0.1:${listening.address().port}/`, {
      headers: { Authorization: `Bearer ${bearer}` },
    });
    return { status: response.status, body: await response.json() };
  };
  const answers = { good: await ask(token), forged: await ask(refused) };
  listening.close();
  listening.closeAllConnections();
  return answers;
}

const [jwtBearer, oauth4webapi] = [await byJwtBearer(), await byOauth4webapi()];
console.log(JSON.stringify({ jwtBearer, oauth4webapi, openidClient: await byOpenidClient() }));
