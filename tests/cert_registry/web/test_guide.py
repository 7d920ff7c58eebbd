"""The samples of docs/guide/department.md, run as they stand against a real server with the real token endpoint."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cert_registry.sharing.access import Action
from signing_service.people.client_keys import public_jwks
from tests.cert_registry.web.conftest import Registry
from tests.cert_registry.web.live_server import CLIENT, serving, with_tokens
from tests.cert_registry.web.test_nginx import listening
from tests.cert_registry.world import business

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "department.md"


def sample(language: str) -> str:
    """The guide's one code block in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def environment(registry: Registry, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A server on a free port, a client with its key, and what the samples read from the environment."""
    key = rsa.generate_private_key(65537, 2048)
    jwks = public_jwks(key.public_key())
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with listening() as (bound, base), serving(with_tokens(registry.parts, jwks, base), [bound]):
        yield {
            **os.environ, "BASE": base, "CLIENT": CLIENT, "KID": jwks["keys"][0]["kid"], "MATTER": "M1",
            "KEY": str(tmp_path / "key.pem"), "no_proxy": "127.0.0.1",
        }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_sample_verifies_a_licence(registry: Registry, environment: dict[str, str], tmp_path: Path) -> None:
    done = registry.issue(business())
    registry.grant("housing", Action.VERIFY, since=datetime(2020, 1, 1, tzinfo=UTC))
    environment["IDENTIFIER"] = done.identifier
    commands = {"sh": ["sh", "sample.sh"], "python": [sys.executable, "sample.py"]}
    (tmp_path / "sample.sh").write_text(sample("sh"), encoding="utf-8")
    (tmp_path / "sample.py").write_text(sample("python"), encoding="utf-8")
    if shutil.which("javac"):
        (tmp_path / "Verify.java").write_text(sample("java"), encoding="utf-8")
        compiler = ["javac", "-encoding", "UTF-8", "-source", "8", "-target", "8", "-nowarn", "Verify.java"]
        subprocess.run(compiler, check=True, cwd=tmp_path, capture_output=True)
        commands["java"] = ["java", "-Dfile.encoding=UTF-8", "-cp", ".", "Verify"]
    for language, command in commands.items():
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False)
        assert result.returncode == 0, (language, result.stderr.decode())
        answer = json.loads(result.stdout)
        assert (language, answer["usable_now"], answer["licence"]["number"]) == (language, "yes", done.number)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("language", "name"), [("sh", "verify.sh"), ("python", "verify.py"), ("java", "Verify.java")])
def test_the_page_hands_out_the_guides_samples(registry: Registry, language: str, name: str) -> None:
    assert registry.client.get(f"/connect/samples/{name}").text == sample(language)
