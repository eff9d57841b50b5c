// Runs oidc-provider as the authorization server of the resources in a site file:
//
//	node oidc-provider.mjs site.json
//
// It serves until it is killed. Nothing is stored: clients, grants and keys end with
// the process.
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Provider, { errors } from 'oidc-provider';

const site = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const secret = 'secret';

const scope = 'inventory:read inventory:write billing:read';
const resources = {
  [site.jwt]: { scope, accessTokenFormat: 'jwt' },
  [site.opaque]: { scope, accessTokenFormat: 'opaque' },
  [site.certificates]: { scope, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
};

const machine = { client_secret: secret, grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
const person = {
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code'],
  redirect_uris: [site.redirect],
  backchannel_logout_uri: site.logout,
};

const jwk = (type, options, parameters) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  ...parameters,
});

const provider = new Provider(site.issuer, {
  clients: [
    { ...machine, client_id: 'machine' },
    { ...machine, client_id: 'nameless' },
    { ...machine, client_id: 'dpop', dpop_bound_access_tokens: true },
    { ...machine, client_id: 'certificate', tls_client_certificate_bound_access_tokens: true },
    { ...machine, client_id: 'api', grant_types: [] }, // of the resource server, for introspection
    { ...person, client_id: 'person' },
    { ...person, client_id: 'session', backchannel_logout_session_required: true },
  ],
  jwks: {
    keys: [
      jwk('rsa', { modulusLength: 2048 }, { use: 'sig', alg: 'RS256' }),
      jwk('ec', { namedCurve: 'P-256' }, { use: 'sig', alg: 'ES256' }),
    ],
  },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(ctx, resource) {
        if (!Object.hasOwn(resources, resource)) throw new errors.InvalidTarget();
        return resources[resource];
      },
    },
    introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === 'api' },
    revocation: { enabled: true, allowedPolicy: (ctx, client, token) => client.clientId === token.clientId },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.(),
    },
    backchannelLogout: { enabled: true },
  },
  discovery: { mtls_endpoint_aliases: { token_endpoint: `${site.mtls}/token` } },
  extraTokenClaims(ctx, token) {
    // An answer about a token that a client got for itself has no sub.
    if (token.kind === 'ClientCredentials' && token.clientId !== 'nameless') return { sub: token.clientId };
    // A JWT has no sid, without which a logout of the session does not reach it.
    if (token.sid) return { sid: token.sid };
    return undefined;
  },
  // Without the dispatcher that refuses addresses on loopback, to send logout tokens.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
});
for (const event of ['server_error', 'backchannel.error']) {
  provider.on(event, (ctx, err) => console.error(event, err));
}

const port = (url) => new URL(url).port;
createServer(provider.callback()).listen(port(site.issuer), '127.0.0.1');
createSecureServer(
  { key: site.key, cert: site.certificate, requestCert: true, rejectUnauthorized: false },
  provider.callback(),
).listen(port(site.mtls), '127.0.0.1');
