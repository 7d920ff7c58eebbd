import base64
import json
import os
import secrets
import time
import urllib.parse
import urllib.request

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

BASE, CLIENT = os.environ["BASE"], os.environ["CLIENT"]


def packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def access_token() -> str:
    key = serialization.load_pem_private_key(open(os.environ["KEY"], "rb").read(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    now = int(time.time())
    header = {"alg": "RS256", "kid": os.environ["KID"]}
    claims = {
        "iss": CLIENT,
        "sub": CLIENT,
        "aud": BASE + "/oauth2/token",
        "iat": now,
        "exp": now + 55,
        "jti": secrets.token_hex(16),
    }
    content = packed(json.dumps(header).encode()) + "." + packed(json.dumps(claims).encode())
    signature = key.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256())
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": content + "." + packed(signature),
    }
    with urllib.request.urlopen(BASE + "/oauth2/token", urllib.parse.urlencode(form).encode()) as reply:
        return str(json.load(reply)["access_token"])


body = {"identifier": os.environ["IDENTIFIER"], "purpose": "受理申请", "matter": os.environ["MATTER"]}
request = urllib.request.Request(
    BASE + "/api/v1/verify/identifier",
    json.dumps(body).encode(),
    {"Authorization": "Bearer " + access_token(), "Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as reply:
    print(reply.read().decode())
