"""The report says whose time it is: our own authority's, or that of one that is independent of the parties."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from signing_service.kernel.typesetting import typeset
from signing_service.settings import Settings, SettingsUnreadable, load_settings
from tests.cli.test_sign import zhengyin
from tests.signing_service.pki.second_ca import SecondCa
from tests.signing_service.pki.second_tsa import OpensslTsa

PAGE = '#set page(paper: "a5")\n#set text(font: "Noto Serif CJK SC")\n示例'


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[OpensslTsa]:
    made = OpensslTsa(SecondCa(tmp_path / "tsa"))
    yield made
    made.kill()


@pytest.fixture
def settings_file(home: Settings) -> Iterator[Path]:
    path = home.home / "settings.toml"
    before = path.read_text()
    yield path
    path.write_text(before)


def sealed(home: Settings, tmp_path: Path, name: str) -> dict[str, Any]:
    """A page sealed with B-T, and the report on its seal. The TSA's root names no revocation sources, so its CRL is
    given by file."""
    page, output = tmp_path / "page.pdf", tmp_path / f"{name}.pdf"
    page.write_bytes(typeset(PAGE, {}))
    done = zhengyin(home.home, "sign", str(page), "-o", str(output), "--seal", "default")
    assert done.returncode == 0, done.stderr
    judged = zhengyin(
        home.home, "verify", "--json", "--offline", "--crl", str(tmp_path / "tsa" / "crl.der"), str(output)
    )
    return next(entry for entry in json.loads(judged.stdout)["signatures"] if entry["kind"] == "seal")


def test_the_settings_choose_the_authority_and_the_report_tells_it(
    home: Settings, settings_file: Path, tsa: OpensslTsa, tmp_path: Path
) -> None:
    tsa.ca.crl()
    own = sealed(home, tmp_path, "own")
    assert (own["verdict"], own["time_source"], own["time_authority"]) == ("passed", "timestamp", "own")
    hosts = settings_file.read_text().replace("outbound_hosts = [", 'outbound_hosts = ["127.0.0.1", ')
    settings_file.write_text(f'timestamp_urls = ["{tsa.url}", "own"]\n{hosts}')
    root = str(tsa.ca.folder / "ca.pem")
    trusted = zhengyin(home.home, "pki", "trust", root, "--for", "timestamps", "--as", "pki-operator")
    assert trusted.returncode == 0, trusted.stderr
    independent = sealed(home, tmp_path, "independent")
    assert (independent["verdict"], independent["time_authority"]) == ("passed", "outside")
    words = zhengyin(home.home, "verify", "--offline", "--crl", str(tmp_path / "tsa" / "crl.der"),
                     str(tmp_path / "independent.pdf"))  # fmt: skip
    assert "timestamp by an independent authority" in words.stdout


def test_a_root_trusted_for_time_vouches_for_no_signer(
    home: Settings, settings_file: Path, tsa: OpensslTsa, tmp_path: Path
) -> None:
    from cli.trust_store import home_policy, outside_cas
    from signing_service.kernel.clock import SystemClock
    from signing_service.kernel.database import Database
    from signing_service.verification.policy import Purpose

    root = str(tsa.ca.folder / "ca.pem")
    assert zhengyin(home.home, "pki", "trust", root, "--for", "timestamps", "--as", "pki-operator").returncode == 0
    database = Database(home.database_url)
    policy = home_policy(home, SystemClock().now(), outside=outside_cas(database))
    assert tsa.root in policy.anchors[Purpose.OUTSIDE_TIMESTAMPS]
    assert tsa.root not in policy.anchors[Purpose.OUTSIDE]
    database.close()


@pytest.mark.parametrize(
    "line", ["timestamp_urls = []", 'timestamp_urls = ["ftp://x"]', 'timestamp_urls = ["own", "own"]',
             'outside_status_unknown = "perhaps"', 'timestamp_url = "own"'],
)  # fmt: skip
def test_settings_that_cannot_be_followed_are_told(settings_file: Path, line: str) -> None:
    settings_file.write_text(f"{line}\n{settings_file.read_text()}")
    with pytest.raises(SettingsUnreadable, match=line.partition(" ")[0]):
        load_settings(settings_file.parent)
