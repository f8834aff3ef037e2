"""Reads a list of cases from standard input, verifies each token with joserfc or PyJWT, and prints their thumbprints.

Usage: venv/bin/python verify.py joserfc|pyjwt < cases.json
"""

import base64
import json
import sys


def joserfc(case):
    from joserfc import jwt
    from joserfc.jwk import import_key

    key = import_key(case["jwk"])
    claims = jwt.decode(case["jwt"], key, algorithms=[case["algorithm"]]).claims
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": case["issuer"]}, aud={"essential": True, "value": case["audience"]}
    ).validate(claims)
    return None if case["jwk"]["kty"] == "oct" else key.thumbprint()


def pyjwt(case):
    import jwt

    jwk = {name: value for name, value in case["jwk"].items() if name not in ("alg", "use")}
    if jwk["kty"] == "oct":
        key = base64.urlsafe_b64decode(jwk["k"] + "==")
    else:
        key = jwt.PyJWK.from_dict(jwk, algorithm=case["algorithm"]).key
    jwt.decode(
        case["jwt"],
        key,
        algorithms=[case["algorithm"]],
        audience=case["audience"],
        issuer=case["issuer"],
        options={"require": ["exp", "iat", "jti"]},
    )
    return None


verify = {"joserfc": joserfc, "pyjwt": pyjwt}[sys.argv[1]]
print(json.dumps([{"algorithm": c["algorithm"], "thumbprint": verify(c)} for c in json.load(sys.stdin)]))
