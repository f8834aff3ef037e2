"""Reads a list of proofs from standard input, and checks each as RFC 9449 §4.3 demands, with joserfc or PyJWT.

Usage: venv/bin/python dpop.py joserfc|pyjwt < cases.json
"""

import base64
import hashlib
import json
import sys
import time
from urllib.parse import urlsplit

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def joserfc(proof, jwk, algorithm):
    from joserfc import jws, jwt
    from joserfc.jwk import import_key

    key = import_key(jwk)
    registry = jws.JWSRegistry(algorithms=[algorithm])
    # The header contains the key. The default is 512 bytes.
    registry.max_header_length = 1024
    claims = jwt.decode(proof, key, algorithms=[algorithm], registry=registry).claims
    return claims, key.thumbprint()


def pyjwt(proof, jwk, algorithm):
    import jwt

    key = jwt.PyJWK.from_dict(jwk, algorithm=algorithm).key
    return jwt.decode(proof, key, algorithms=[algorithm], options={"require": ["iat", "jti"]}), None


def check(case):
    encoded = case["proof"].split(".")[0]
    header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    assert header["typ"] == "dpop+jwt" and header["alg"] == case["algorithm"], header
    assert not PRIVATE & header["jwk"].keys(), header
    claims, thumbprint = verify(case["proof"], header["jwk"], case["algorithm"])
    url = urlsplit(case["url"])
    expected = {"htm": case["method"], "htu": f"{url.scheme}://{url.netloc}{url.path or '/'}"}
    if case["token"] is not None:
        digest = hashlib.sha256(case["token"].encode()).digest()
        expected["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if case["nonce"] is not None:
        expected["nonce"] = case["nonce"]
    assert {name: value for name, value in claims.items() if name not in ("jti", "iat")} == expected, claims
    assert 0 <= time.time() - claims["iat"] < 60 and len(claims["jti"]) == 22, claims
    return {"algorithm": header["alg"], "thumbprint": thumbprint}


verify = {"joserfc": joserfc, "pyjwt": pyjwt}[sys.argv[1]]
print(json.dumps([check(case) for case in json.load(sys.stdin)]))
