"""A department's client for Zhengyin's API: one file to copy, Python 3.9 and `cryptography` alone.

    client = Client("https://zw.example.cn", "your-client-id", open("key.pem", "rb").read(), matter="M1")
    answer = client.verify_identifier("1.2.156.3005.2.…", purpose="受理申请")
    if answer["usable_now"] == "yes": ...

Every call carries a purpose, which the licence's holder may read: no identity or telephone numbers in it.
A refusal is raised as `Refused`, whose `code` is stable. Keep `evidence` (a JWS) with your case.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypedDict, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EARLY_SECONDS = 30
VALID, INVALID, SUSPENDED = 0, 1, 2
Usable = Literal["yes", "no", "unknown"]


class StatusPlace(TypedDict):
    list: int
    idx: int


class LicenceSummary(TypedDict):
    identifier: str
    type: str
    type_code: str
    type_name: str
    number: str
    version: int
    issuer_code: str
    issuer_name: str
    competent_body: str
    issued_on: str
    valid_from: str
    valid_until: str | None
    status: str
    status_text: str
    status_since: str | None
    sha256: str | None
    status_list: StatusPlace


class LogView(TypedDict):
    entry: int
    leaf: str


class Verified(TypedDict):
    usable_now: Usable
    reason: str
    summary: str
    licence: LicenceSummary
    log: LogView
    evidence: str


class VerifiedFields(Verified):
    fields: dict[str, Literal["match", "mismatch", "not_granted", "no_such_field"]]
    holder: Literal["match", "mismatch"] | None


class VerifiedCode(Verified):
    code: dict[str, Any]


class VerifiedFile(TypedDict):
    verdict: Literal["passed", "indeterminate", "failed"]
    usable_now: Usable
    reason: str
    summary: str
    report: dict[str, Any]
    licence: LicenceSummary | None
    log: LogView
    evidence: str


class BatchItem(TypedDict):
    identifier: str
    usable_now: Usable
    reason: str
    summary: str
    licence: LicenceSummary | None


class VerifiedBatch(TypedDict):
    items: list[BatchItem]
    log: LogView
    evidence: str


class GrantView(TypedDict):
    id: str
    type_code: str
    actions: list[str]
    fields: list[str]
    matters: list[str]
    consent_needed: bool
    since: str
    until: str | None
    active: bool


class GrantsView(TypedDict):
    department: str
    items: list[GrantView]
    ask: str


class CopyView(TypedDict):
    copy: str
    identifier: str
    until: str
    sha256: str
    file: str
    log: LogView
    evidence: str


class Refused(Exception):
    """The service said no. `code` is stable, `title` what happened, `detail` why and whom to ask."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status, self.problem = status, dict(problem)
        self.code = str(problem.get("code") or problem.get("error", ""))
        self.title = str(problem.get("title") or problem.get("error_description", ""))
        self.detail = str(problem.get("detail", ""))
        super().__init__(f"{status} {self.code}: {self.title} {self.detail}".strip())


class Client:
    """`key`: your private key in PEM (P-256 or RSA); `matter`: the code of the matter that you work on."""

    def __init__(self, base: str, client_id: str, key: bytes, matter: str) -> None:
        loaded = serialization.load_pem_private_key(key, None)
        if not isinstance(loaded, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
            raise ValueError("the key must be P-256 or RSA")
        self._base, self._client_id, self._key, self._matter = base.rstrip("/"), client_id, loaded, matter
        self._token, self._until = "", 0.0

    def verify_identifier(self, identifier: str, purpose: str, consent: str = "") -> Verified:
        """May this licence be relied on now?"""
        body = {"identifier": identifier, "consent": consent}
        return cast(Verified, self._post("/api/v1/verify/identifier", body, purpose))

    def verify_fields(
        self, identifier: str, fields: Mapping[str, Any], purpose: str, holder: Mapping[str, str] | None = None
    ) -> VerifiedFields:
        """Does the content that you were told agree with the register?"""
        body: dict[str, Any] = {"identifier": identifier, "fields": dict(fields)}
        if holder is not None:
            body["holder"] = dict(holder)
        return cast(VerifiedFields, self._post("/api/v1/verify/fields", body, purpose))

    def verify_code(self, code: str, purpose: str) -> VerifiedCode:
        """A paper code, as scanned."""
        return cast(VerifiedCode, self._post("/api/v1/verify/code", {"code": code}, purpose))

    def verify_file(self, content: bytes, purpose: str, name: str = "licence.pdf") -> VerifiedFile:
        """A sealed PDF: seal, later changes, and the licence's status."""
        border = secrets.token_hex(16)
        parts = [_form_part(border, each, text) for each, text in (("purpose", purpose), ("matter", self._matter))]
        head = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        parts.append(f"{head}Content-Type: application/pdf\r\n\r\n".encode() + content + b"\r\n")
        body = b"".join(parts) + f"--{border}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={border}"}
        return cast(VerifiedFile, json.loads(self._call("POST", "/api/v1/verify/file", body, headers)))

    def verify_batch(self, identifiers: Sequence[str], purpose: str) -> VerifiedBatch:
        """Up to a thousand at once."""
        return cast(VerifiedBatch, self._post("/api/v1/verify/batch", {"identifiers": list(identifiers)}, purpose))

    def search(self, holder: Mapping[str, str], purpose: str, types: Sequence[str] = ()) -> Iterator[LicenceSummary]:
        """A holder's licences of the types that you may search, page by page."""
        after = ""
        while True:
            body = {"holder": dict(holder), "types": list(types), "after": after}
            page = self._post("/api/v1/licences/search", body, purpose)
            yield from page["items"]
            after = page["next"] or ""
            if not after:
                return

    def read(self, identifier: str, purpose: str, consent: str = "") -> dict[str, Any]:
        """Holders (masked), the granted content, metadata and status."""
        return self._get(f"/api/v1/licences/{identifier}", purpose, consent)

    def download(self, identifier: str, purpose: str, consent: str = "") -> bytes:
        """The sealed PDF."""
        return self._call("GET", f"/api/v1/licences/{identifier}/file", b"", self._asked(purpose, consent))

    def make_copy(self, identifier: str, until: str, purpose: str, key: str, consent: str = "") -> CopyView:
        """A copy sealed for your department, this purpose and until then (ISO 8601 with offset). `key`: the same for
        every retry of one request."""
        body = {"until": until, "consent": consent}
        return cast(CopyView, self._post(f"/api/v1/licences/{identifier}/copies", body, purpose, key))

    def grants(self, purpose: str) -> GrantsView:
        """What your department may do."""
        return cast(GrantsView, self._get("/api/v1/grants", purpose))

    def events(self, after: int, purpose: str) -> Iterator[dict[str, Any]]:
        """Changes after a number, in order and without gaps. Raises ValueError when one is missing or altered."""
        while True:
            page = self._get(f"/api/v1/events?after={after}", purpose)
            canonical = json.dumps(page["items"], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
            numbers = [item["number"] for item in page["items"]]
            if numbers != list(range(after + 1, after + 1 + len(numbers))):
                raise ValueError("an event is missing")
            if hashlib.sha256(canonical.encode()).hexdigest() != page["hash"]:
                raise ValueError("the page was altered")
            yield from page["items"]
            if not numbers:
                return
            after = page["next"]

    def rebuilt_equally(self, last: Mapping[str, int], until: int, purpose: str) -> bool:
        """Is `last`, the number of the last visible event of each licence, what the service has up to `until`?"""
        digest = self._get(f"/api/v1/events/digest?until={until}", purpose)
        lines = "".join(f"{number} {name}\n" for name, number in sorted(last.items(), key=lambda pair: pair[1]))
        return bool(hashlib.sha256(lines.encode()).hexdigest() == digest["hash"] and len(last) == digest["licences"])

    def status(self, place: StatusPlace, certificate: bytes) -> int:
        """VALID, INVALID or SUSPENDED by the signed list, which may be kept for `ttl` seconds; needs no token.
        `certificate`: that of the evidence key (PEM). Raises ValueError when the list is not what it should be."""
        address = f"{self._base}/status-lists/{place['list']}"
        with urllib.request.urlopen(address) as reply:
            claims = opened(reply.read().decode("ascii"), certificate, "statuslist+jwt")
        if urllib.parse.urlsplit(claims["sub"]).path != f"/status-lists/{place['list']}" or claims["exp"] < time.time():
            raise ValueError("another list, or an old one")
        bits = int(claims["status_list"]["bits"])
        values = zlib.decompress(_unpacked(claims["status_list"]["lst"]))
        bit = place["idx"] * bits
        return values[bit // 8] >> (bit % 8) & ((1 << bits) - 1)

    def _post(self, path: str, body: Mapping[str, Any], purpose: str, key: str = "") -> dict[str, Any]:
        content = json.dumps({**body, "purpose": purpose, "matter": self._matter}).encode()
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        answer: dict[str, Any] = json.loads(self._call("POST", path, content, headers))
        return answer

    def _get(self, path: str, purpose: str, consent: str = "") -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._call("GET", path, b"", self._asked(purpose, consent)))
        return answer

    def _asked(self, purpose: str, consent: str) -> dict[str, str]:
        asked = {"Zhengyin-Purpose": urllib.parse.quote(purpose), "Zhengyin-Matter": self._matter}
        return {**asked, "Zhengyin-Consent": consent} if consent else asked

    def _call(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        authorised = {**headers, "Authorization": f"Bearer {self._access_token()}"}
        return self._send(method, path, body, authorised)

    def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        request = urllib.request.Request(self._base + path, body or None, dict(headers), method=method)
        try:
            with urllib.request.urlopen(request) as reply:
                content: bytes = reply.read()
                return content
        except urllib.error.HTTPError as failure:
            text = failure.read()
            try:
                problem = json.loads(text)
            except ValueError:
                problem = {"title": text.decode("utf-8", "replace")[:200]}
            raise Refused(failure.code, problem) from None

    def _access_token(self) -> str:
        if time.time() >= self._until:
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": self._assertion(),
            }
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            given = json.loads(self._send("POST", "/oauth2/token", urllib.parse.urlencode(form).encode(), kind))
            self._token, self._until = str(given["access_token"]), time.time() + given["expires_in"] - EARLY_SECONDS
        return self._token

    def _assertion(self) -> str:
        now, elliptic = int(time.time()), isinstance(self._key, ec.EllipticCurvePrivateKey)
        header = {"alg": "ES256" if elliptic else "RS256", "kid": key_id(self._key.public_key())}
        claims = {
            "iss": self._client_id, "sub": self._client_id, "aud": f"{self._base}/oauth2/token", "iat": now,
            "exp": now + 55, "jti": secrets.token_hex(16),
        }  # fmt: skip
        content = f"{_packed(json.dumps(header).encode())}.{_packed(json.dumps(claims).encode())}"
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self._key.sign(content.encode(), ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        else:
            signature = self._key.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{content}.{_packed(signature)}"


def public_jwk(key: Any) -> dict[str, str]:
    """What you register of a public key (P-256 or RSA), named by its thumbprint (RFC 7638)."""
    numbers = key.public_numbers()
    if isinstance(key, ec.EllipticCurvePublicKey):
        parts = {"crv": "P-256", "kty": "EC", "x": _number(numbers.x, 32), "y": _number(numbers.y, 32)}
    else:
        parts = {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return {**parts, "kid": _packed(hashlib.sha256(canonical.encode()).digest()), "use": "sig"}


def key_id(key: Any) -> str:
    """The `kid` under which `public_jwk` registers a key."""
    return public_jwk(key)["kid"]


def opened(token: str, certificate: bytes, kind: str) -> dict[str, Any]:
    """The claims of a JWS that the service signed: evidence, an event, a status list. Whether the certificate (PEM) is
    the service's is yours to know: take it from where it is published, or check it against the root.

    Raises ValueError (another type or algorithm) and cryptography's InvalidSignature.
    """
    head, claims, signature = token.split(".")
    header = json.loads(_unpacked(head))
    if header.get("alg") != "ES256" or header.get("typ") != kind:
        raise ValueError("not the expected kind of token")
    key = x509.load_pem_x509_certificate(certificate).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("the certificate has no P-256 key")
    raw = _unpacked(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    found: dict[str, Any] = json.loads(_unpacked(claims))
    return found


def _number(value: int, size: int = 0) -> str:
    return _packed(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def _form_part(border: str, name: str, text: str) -> bytes:
    return f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
