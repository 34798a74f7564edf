"""Signing in with Hugging Face: an OpenID provider that asks nobody and signs in `hub.signing_in`."""

import base64
import json
import secrets
import time
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ..answers import Answer, Refused, Request
from ..hub import Hub
from ..people import user_id

CLIENT_ID, CLIENT_SECRET, SCOPES = "the-client-of-the-space", "the-secret-of-the-space", "openid profile"
LOCAL = ("127.0.0.1", "localhost")


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _in_url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _signed(claims: dict[str, Any]) -> str:
    head = _in_url(json.dumps({"alg": "RS256", "typ": "JWT", "kid": "1"}).encode())
    text = f"{head}.{_in_url(json.dumps(claims).encode())}"
    return f"{text}.{_in_url(_key().sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def configuration(hub: Hub, request: Request) -> Answer:
    return Answer.json(
        {
            "issuer": request.base,
            "authorization_endpoint": f"{request.base}/oauth/authorize",
            "token_endpoint": f"{request.base}/oauth/token",
            "userinfo_endpoint": f"{request.base}/oauth/userinfo",
            "jwks_uri": f"{request.base}/oauth/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        }
    )


def keys(hub: Hub, request: Request) -> Answer:
    numbers = _key().public_key().public_numbers()
    key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1"}
    for name, number in (("n", numbers.n), ("e", numbers.e)):
        key[name] = _in_url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
    return Answer.json({"keys": [key]})


def authorize(hub: Hub, request: Request) -> Answer:
    """Send the browser back at once, with a code for the user who is signing in."""
    if request.asked("client_id") != CLIENT_ID:
        raise Refused(400, "This client_id is not known")
    asked_for = request.asked("redirect_uri")
    back = urlsplit(asked_for)
    # A Space builds its own address with https; a local app has no certificate.
    scheme = "http" if back.hostname in LOCAL else back.scheme
    answer = {"state": request.asked("state")}
    if hub.signing_in is None:
        answer["error"] = "access_denied"
    else:
        answer["code"] = secrets.token_urlsafe(16)
        hub.codes[answer["code"]] = (hub.signing_in, request.asked("nonce"), asked_for, request.asked("scope"))
    query = "&".join(part for part in (back.query, urlencode(answer)) if part)
    return Answer(302, b"", {"Location": urlunsplit((scheme, back.netloc, back.path, query, ""))})


def token(hub: Hub, request: Request) -> Answer:
    asked = {key: values[-1] for key, values in parse_qs(request.body.decode()).items()}
    client, secret = asked.get("client_id", ""), asked.get("client_secret", "")
    if request.headers.get("authorization", "").startswith("Basic "):
        client, _, secret = base64.b64decode(request.headers["authorization"][6:]).decode().partition(":")
    if (client, secret) != (CLIENT_ID, CLIENT_SECRET):
        return Answer.json({"error": "invalid_client", "error_description": "Unknown client"}, 401)
    user, nonce, redirect_uri, scope = hub.codes.pop(asked.get("code", ""), ("", "", "", ""))  # good for one use
    if not user or asked.get("redirect_uri", redirect_uri) != redirect_uri:
        return Answer.json({"error": "invalid_grant", "error_description": "Unknown or used code"}, 400)
    access = hub.add_token(user=user, role="read", name="signed in", kind="oauth")
    now = int(time.time())
    claims = profile(request, user) | {"aud": CLIENT_ID, "iss": request.base, "iat": now, "exp": now + 3600}
    claims |= {"auth_time": now} | ({"nonce": nonce} if nonce else {})
    answer = {"access_token": access, "token_type": "bearer", "expires_in": 28800, "scope": scope}
    return Answer.json(answer | {"id_token": _signed(claims)})


def profile(request: Request, user: str) -> dict[str, Any]:
    return {
        "sub": user_id(user),
        "name": user.capitalize(),
        "preferred_username": user,
        "profile": f"{request.base}/{user}",
        "picture": f"{request.base}/avatars/{user_id(user)}.svg",
        "website": "",
        "isPro": False,
        "orgs": [],
    }


def userinfo(hub: Hub, request: Request) -> Answer:
    return Answer.json(profile(request, hub.people.must_be_known(request).user))
