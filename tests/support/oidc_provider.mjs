// A real OpenID Connect provider on loopback: node oidc_provider.mjs SETTINGS.json
import { createServer } from "node:https";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const settings = JSON.parse(readFileSync(process.argv[2]));
const library = createRequire(settings.modules + "/").resolve("oidc-provider");
const { default: Provider } = await import(pathToFileURL(library));

const provider = new Provider(settings.issuer, {
  clients: [
    { client_id: settings.client_id, client_secret: settings.client_secret, redirect_uris: [settings.redirect_uri] },
  ],
  claims: { openid: ["sub"], profile: ["preferred_username", "given_name", "family_name"], email: ["email"], groups: ["groups"] },
  scopes: ["openid", "profile", "email", "groups"],
  pkce: { required: () => false },
  // Its own pages for login and consent, which take any password.
  features: { devInteractions: { enabled: true } },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      preferred_username: id,
      given_name: id,
      family_name: id,
      email: `${id}@mxt.test`,
      groups: settings.groups[id] ? [settings.groups[id]] : [],
    }),
  }),
});
createServer(
  { cert: readFileSync(settings.certificate), key: readFileSync(settings.key) },
  provider.callback(),
).listen(settings.port, "127.0.0.1", () => console.log("listening"));
