// Reads a list of proofs from standard input, and checks each as RFC 9449 §4.3 demands, with `jose`.
// Usage: node dpop.mjs <directory of the installation> < cases.json
import assert from "node:assert";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.argv[2]}/node_modules/`);
const jose = await import(pathToFileURL(require.resolve("jose")).href);

const results = [];
for (const { proof, method, url, token, nonce, algorithm } of JSON.parse(readFileSync(0, "utf8"))) {
  // `EmbeddedJWK` rejects a private key.
  const { payload, protectedHeader } = await jose.jwtVerify(proof, jose.EmbeddedJWK, {
    algorithms: [algorithm],
    typ: "dpop+jwt",
    maxTokenAge: "60 s",
    requiredClaims: ["jti", "htm", "htu", "iat"],
  });
  assert.strictEqual(payload.htm, method);
  const target = new URL(url);
  assert.strictEqual(payload.htu, target.origin + target.pathname);
  assert.strictEqual(payload.ath, token === null ? undefined : createHash("sha256").update(token).digest("base64url"));
  assert.strictEqual(payload.nonce, nonce ?? undefined);
  results.push({ algorithm: protectedHeader.alg, thumbprint: await jose.calculateJwkThumbprint(protectedHeader.jwk) });
}
console.log(JSON.stringify(results));
