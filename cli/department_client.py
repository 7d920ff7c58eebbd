"""A department's system in the demo: proves its key, gets a token, verifies a licence through the HTTP API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from urllib3 import encode_multipart_formdata
from urllib3.fields import RequestField

from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.outbound import Outbound, Reply
from signing_service.people.client_keys import client_assertion
from signing_service.people.oauth import ASSERTION_TYPE

PURPOSE, MATTER = "受理施工许可", "housing-permit"


class ApiRefused(SigningServiceError):
    """The API answered with a problem."""

    code = "api_refused"

    def __init__(self, reply: Reply) -> None:
        said = reply.body.decode("utf-8", "replace")[:300]
        super().__init__(
            Text("接口没有给出结果。", "The API gave no result."),
            why=Text(f"HTTP {reply.status}:{said}", f"HTTP {reply.status}: {said}"),
        )


@dataclass(frozen=True, slots=True)
class DepartmentClient:
    """`url`: where the server listens; `audience`: what its assertions name, the token endpoint's official address."""

    outbound: Outbound
    url: str
    audience: str
    client_id: str
    key_file: Path

    def token(self) -> str:
        """An access token by client credentials with private_key_jwt (RFC 6749 4.4, RFC 7523). Raises ApiRefused."""
        key = load_pem_private_key(self.key_file.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101  # init made it so
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": client_assertion(self.client_id, self.audience, key),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return str(self._post("/oauth2/token", urlencode(form).encode(), headers)["access_token"])

    def verify_identifier(self, token: str, identifier: str) -> dict[str, Any]:
        """POST /api/v1/verify/identifier. Raises ApiRefused."""
        body = json.dumps({"identifier": identifier, "purpose": PURPOSE, "matter": MATTER}).encode()
        return self._post("/api/v1/verify/identifier", body, _with(token, "application/json"))

    def verify_file(self, token: str, content: bytes) -> dict[str, Any]:
        """POST /api/v1/verify/file. Raises ApiRefused."""
        file = RequestField.from_tuples("file", ("licence.pdf", content, "application/pdf"))
        body, kind = encode_multipart_formdata([file, ("purpose", PURPOSE), ("matter", MATTER)])
        return self._post("/api/v1/verify/file", body, _with(token, kind))

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        reply = self.outbound.request("POST", self.url + path, body=body, headers=headers)
        if reply.status != 200:
            raise ApiRefused(reply)
        answer: dict[str, Any] = json.loads(reply.body)
        return answer


def _with(token: str, content_type: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content-Type": content_type}
