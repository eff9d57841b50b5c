// Connects the MCP client of the TypeScript SDK to the quickstart:
//
//	node client.mjs <1|2> <preregistered|registers> < the line that -serve prints
//
// It gets the URL of the MCP endpoint and, unless it registers itself, a client id.
// It exits with 0 if the resource, the prompt and every tool returned a result, after
// as many step-ups as needed.
import { readFileSync } from 'node:fs';

const [version, registration] = process.argv.slice(2);
const quickstart = JSON.parse(readFileSync(0, 'utf8'));
const { Client, StreamableHTTPClientTransport, UnauthorizedError } =
  version === '1'
    ? {
        ...(await import('@modelcontextprotocol/sdk/client/index.js')),
        ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
        ...(await import('@modelcontextprotocol/sdk/client/auth.js')),
      }
    : await import('@modelcontextprotocol/client');

const redirectUrl = 'http://127.0.0.1:9876/callback';

// user keeps the state of the client, and acts as the browser: the authorization
// server of the quickstart consents to every request.
const user = {
  redirectUrl,
  clientMetadata: {
    client_name: 'drawbridge example',
    redirect_uris: [redirectUrl],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  asked: [],
  client:
    registration === 'registers'
      ? undefined
      : quickstart.clients.find((c) => c.grant_types.includes('authorization_code')),
  clientInformation() { return this.client; },
  saveClientInformation(client) { this.client = client; },
  tokens() { return this.saved; },
  saveTokens(tokens) { this.saved = tokens; },
  codeVerifier() { return this.verifier; },
  saveCodeVerifier(verifier) { this.verifier = verifier; },
  discoveryState() { return this.discovery; },
  saveDiscoveryState(state) { this.discovery = state; },
  async redirectToAuthorization(url) {
    this.asked.push(url.searchParams.get('scope'));
    let next = url;
    while (!next.href.startsWith(redirectUrl)) {
      const response = await fetch(next, { redirect: 'manual' });
      const location = response.headers.get('location');
      if (location === null) {
        throw new Error(`${next.pathname} answered ${response.status}: ${await response.text()}`);
      }
      next = new URL(location, next);
    }
    this.callback = next.searchParams;
  },
};

let client;
let transport;

// authorized runs an action, and again after each consent of the user.
async function authorized(action) {
  for (let tries = 0; ; tries++) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof UnauthorizedError) || tries > 1) {
        throw error;
      }
      await transport.finishAuth(version === '1' ? user.callback.get('code') : user.callback);
    }
  }
}

await authorized(async () => {
  client = new Client({ name: 'drawbridge-example', version: '1.0.0' });
  transport = new StreamableHTTPClientTransport(new URL(quickstart.mcp), { authProvider: user });
  await client.connect(transport);
});
const read = await authorized(() => client.readResource({ uri: 'inventory://items/NUT-M8' }));
console.log(`    a resource: ${read.contents[0].text}`);
const prompt = await authorized(() => client.getPrompt({ name: 'restock', arguments: { sku: 'NUT-M8' } }));
console.log(`    a prompt: ${JSON.stringify(prompt.messages[0].content.text)}`);
for (const [name, args] of [
  ['list_items', {}],
  ['adjust_stock', { sku: 'NUT-M8', delta: 1 }],
  ['get_invoice', { id: 'INV-1001' }],
]) {
  const result = await authorized(() => client.callTool({ name, arguments: args }));
  if (result.isError) {
    throw new Error(`${name}: ${JSON.stringify(result)}`);
  }
  console.log(`    ${name}: ${JSON.stringify(result.structuredContent)}`);
}
await client.close();
console.log(`    approved: ${user.asked.join('; then ')}`);
if (user.asked.length !== 4) {
  throw new Error(`4 approvals were expected: one to come in and three step-ups`);
}
