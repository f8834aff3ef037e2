// Measures requests with a DPoP proof of openid-client, beside the signature alone, and writes them as the benches do: as Markdown and as
// tab-separated numbers, into the folder of BENCH_RESULTS. The argument is the PEM file of the key.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as client from 'openid-client';

const TOKEN = 'abcdefghijklmnopqrstuvwxyz-._~0123456789abcdefghijklmnopqrstuvwx';
const ROUNDS = 300;
const REQUESTS = 20;
const BURST = 64;

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
const pem = readFileSync(process.argv[2], 'utf8');
const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
const privateKey = await crypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign']);
const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', privateKey);
const publicKey = await crypto.subtle.importKey('jwk', { kty, crv, x, y }, algorithm, true, ['verify']);

// The API responds at once. `sent` keeps the last proof.
let sent;
const api = async (_url, { headers }) => {
  sent = new Headers(headers).get('dpop');
  return new Response('{}', { headers: { 'content-type': 'application/json' } });
};
const server = { issuer: 'https://auth.example.com', token_endpoint: 'https://auth.example.com/token' };
const config = new client.Configuration(server, 'reporting-service');
config[client.customFetch] = api;
const DPoP = client.getDPoPHandle(config, { privateKey, publicKey });
const url = new URL('https://api.example.com/');
const request = () => client.fetchProtectedResource(config, TOKEN, url, 'GET', undefined, undefined, { DPoP });

await request();
const bytes = Buffer.from(sent.slice(0, sent.lastIndexOf('.')));
const signature = () => crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, bytes);

const oneByOne = (work) => async () => {
  for (let count = 0; count < REQUESTS; count++) await work();
  return REQUESTS;
};
const atOnce = (work) => async () => {
  await Promise.all(Array.from({ length: BURST }, work));
  return BURST;
};
const cases = [
  ['the signature alone (WebCrypto of Node.js)', oneByOne(signature)],
  ['`openid-client`', oneByOne(request)],
  ['the signature alone, 64 at once', atOnce(signature)],
  ['`openid-client`, 64 at once', atOnce(request)],
];

const median = (values) => values.sort((one, other) => one - other)[values.length >> 1];
const times = cases.map(() => []);
for (let round = 0; round < ROUNDS; round++) {
  // Each round starts with another case, so that no case always runs after the same one.
  for (let turn = 0; turn < cases.length; turn++) {
    const at = (round + turn) % cases.length;
    const start = process.hrtime.bigint();
    const count = await cases[at][1]();
    times[at].push(Number(process.hrtime.bigint() - start) / 1e3 / count);
  }
}
const rows = cases.map(([name], at) => {
  const beside = times[at - (at % 2)];
  const ratio = median(times[at].map((time, round) => time / beside[round]));
  return [name, median([...times[at]]), ratio];
});

const about = `one request with a proof, ES256, Node.js ${process.versions.node}`;
const line = ([name, time, ratio]) => `| ${name} | ${time.toFixed(1)} | ${ratio.toFixed(2)} |\n`;
const markdown = `| ${about} | µs | × signature alone |\n| --- | ---: | ---: |\n${rows.map(line).join('')}`;
console.log(markdown);
if (process.env.BENCH_RESULTS) {
  const file = (kind) => join(process.env.BENCH_RESULTS, `dpop-openid-client.${kind}`);
  writeFileSync(file('md'), markdown);
  writeFileSync(file('tsv'), rows.map((row) => `${row.join('\t')}\n`).join(''));
}
