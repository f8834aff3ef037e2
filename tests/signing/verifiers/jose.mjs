// Reads a list of cases from standard input, verifies each token with `jose`, and prints its thumbprint of each key.
// Usage: node jose.mjs <directory of the installation> < cases.json
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.argv[2]}/node_modules/`);
const jose = await import(pathToFileURL(require.resolve("jose")).href);

const results = [];
for (const { jwt, jwk, algorithm, audience, issuer } of JSON.parse(readFileSync(0, "utf8"))) {
  const key = await jose.importJWK(jwk, algorithm);
  await jose.jwtVerify(jwt, key, { algorithms: [algorithm], audience, issuer, requiredClaims: ["exp", "iat", "jti"] });
  let rejected = false;
  try {
    const [header, , signature] = jwt.split(".");
    await jose.compactVerify(`${header}.e30.${signature}`, key);
  } catch {
    rejected = true;
  }
  results.push({ algorithm, rejected, thumbprint: jwk.kty === "oct" ? null : await jose.calculateJwkThumbprint(jwk) });
}
console.log(JSON.stringify(results));
