"""The eight acts of care, by the commands that people use, each on SoftHSM, openCryptoki and a PIV card over OpenSC."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from cli.main import app
from hardware.discovery.readers import scan_readers
from hardware.driver import list_tokens, open_token
from hardware.errors import ExplainedError, PinError, PinIncorrect, PinLocked, TokenGone
from hardware.module_paths import find_module
from hardware.pin_source import write_pin_file
from hardware.ports import Mechanism, PinState
from hardware.signing_plans import verifies

PIN, NEW_PIN, SO_PIN, NEW_SO_PIN = "246810", "112233", "76543210", "65432107"
MANAGEMENT_KEY, NEW_MANAGEMENT_KEY = "010203040506070801020304050607080102030405060708", "a5" * 24
FACTORY = {"opencryptoki": "87654321", "piv": "12345678"}
RSA = Mechanism.RSA_PKCS1_SHA256
DAY = datetime.timedelta(days=1)


class Backend:
    """One kind of token, and the commands on it. `serial` may change when it is erased."""

    def __init__(self, kind: str, module: str, folder: Path) -> None:
        self.kind, self.module, self.folder = kind, module, folder
        self.serial = ""
        secrets = {
            "pin": PIN,
            "new": NEW_PIN,
            "so": SO_PIN,
            "new-so": NEW_SO_PIN,
            "wrong": "000000",
            "wrong-so": "99999999",
            "factory": FACTORY.get(kind, SO_PIN),
            "management": MANAGEMENT_KEY,
            "new-management": NEW_MANAGEMENT_KEY,
        }
        for name, secret in secrets.items():
            write_pin_file(folder / name, secret)

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def keys(self, command: str, *arguments: str, on_token: bool = True) -> str:
        """The command's standard output; the named error where it ends with one."""
        token = [self.serial] if on_token else []
        line = ["keys", command, *token, *arguments, "--module", self.module]
        result = CliRunner(env={"LC_ALL": "en_US.UTF-8"}).invoke(app, line)
        if isinstance(result.exception, ExplainedError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    def init(self) -> None:
        """A token as its keeper first makes it: PIN and SO PIN are no factory's."""
        arguments = ["--label", "sample", "--so-pin-file", self.file("factory"), "--new-pin-file", self.file("pin")]
        if self.kind != "softhsm":
            serial = next(info.serial for info in list_tokens(self.module))
            arguments += ["--serial", serial, "--confirm-serial", serial, "--new-so-pin-file", self.file("so")]
        self.serial = self.keys("init", *arguments, on_token=False).strip()

    @property
    def writer(self) -> list[str]:
        if self.kind == "piv":
            return ["--management-key-file", self.file("management")]
        return ["--pin-file", self.file("pin")]

    def generate(self, id: str = "01"):
        """The public key of a fresh RSA key."""
        path = self.folder / f"public-{id}.pem"
        self.keys("generate", "--kind", "rsa2048", "--id", id, "--public-key", str(path), *self.writer)
        return load_pem_public_key(path.read_bytes())

    def import_for(self, public_key, id: str = "01") -> bytes:
        der = issued_for(public_key)
        (self.folder / "certificate.der").write_bytes(der)
        self.keys("import", self.file("certificate.der"), "--id", id, *self.writer)
        return der

    def show(self, *, pin: str = "pin") -> dict:
        return json.loads(self.keys("show", "--json", "--pin-file", self.file(pin)))

    @property
    def pin_state(self) -> PinState:
        return next(info.user_pin for info in list_tokens(self.module) if info.serial == self.serial)

    def lock(self) -> None:
        """Wrong PINs until no more is taken; SoftHSM never locks."""
        for number in range(3):
            with pytest.raises((PinIncorrect, PinLocked)):
                open_token(self.module, serial=self.serial, pin=f"00000{number}", final_try=True)


def issued_for(public_key) -> bytes:
    """A certificate from an authority elsewhere, as an officer brings it."""
    start = datetime.datetime.now(datetime.UTC) - DAY

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    made = (
        x509.CertificateBuilder()
        .subject_name(name("sample officer"))
        .issuer_name(name("sample authority"))
        .public_key(public_key)
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + 365 * DAY)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


@pytest.fixture(params=["softhsm", "opencryptoki", "piv"])
def backend(request, tmp_path):
    """A token of each kind, initialised by `keys init`."""
    folder = tmp_path / "files"
    folder.mkdir()
    if request.param == "softhsm":
        made = Backend("softhsm", request.getfixturevalue("store").module, folder)
    elif request.param == "opencryptoki":
        made = Backend("opencryptoki", request.getfixturevalue("fresh_ock"), folder)
    else:
        made = Backend("piv", request.getfixturevalue("opensc"), folder)
    made.init()
    return made


def test_init_gives_a_ready_token_that_takes_its_new_pins(backend):
    info = next(info for info in list_tokens(backend.module) if info.serial == backend.serial)
    assert (info.initialised, info.user_pin) == (True, PinState.NORMAL)
    open_token(backend.module, serial=backend.serial, pin=PIN).close()
    backend.keys("unblock", "--so-pin-file", backend.file("so"), "--new-pin-file", backend.file("new"))
    open_token(backend.module, serial=backend.serial, pin=NEW_PIN).close()


def test_pins_are_changed_by_who_knows_them(backend):
    backend.keys("pin", "--pin-file", backend.file("pin"), "--new-pin-file", backend.file("new"))
    open_token(backend.module, serial=backend.serial, pin=NEW_PIN).close()
    with pytest.raises(PinIncorrect):
        backend.keys("pin", "--pin-file", backend.file("wrong"), "--new-pin-file", backend.file("pin"))
    backend.keys("pin", "--officer", "--pin-file", backend.file("so"), "--new-pin-file", backend.file("new-so"))
    backend.keys("unblock", "--so-pin-file", backend.file("new-so"), "--new-pin-file", backend.file("pin"))
    open_token(backend.module, serial=backend.serial, pin=PIN).close()


def test_a_locked_pin_is_unblocked_and_a_wrong_officer_costs_one_try(backend):
    backend.lock()
    assert backend.pin_state is (PinState.LOW if backend.kind == "softhsm" else PinState.LOCKED)
    for code in ("so_pin_incorrect", "so_pin_refused_before"):
        with pytest.raises(PinError) as caught:
            backend.keys("unblock", "--so-pin-file", backend.file("wrong-so"), "--new-pin-file", backend.file("new"))
        assert caught.value.code == code
    backend.keys("unblock", "--so-pin-file", backend.file("so"), "--new-pin-file", backend.file("new"))
    open_token(backend.module, serial=backend.serial, pin=NEW_PIN).close()


def test_a_key_is_made_gets_its_certificate_is_shown_signs_and_is_deleted(backend):
    public = backend.generate()
    shown = backend.show()
    assert [(key["id"], key["type"]) for key in shown["keys"]] == [("01", "RSA-2048")]
    with pytest.raises(ExplainedError) as caught:
        backend.generate()
    assert caught.value.code == "key_exists"
    with pytest.raises(ExplainedError) as caught:
        backend.import_for(ec.generate_private_key(ec.SECP256R1()).public_key())
    assert caught.value.code == "certificate_not_of_key"
    der = backend.import_for(public)
    shown = backend.show()
    assert [each["subject"] for each in shown["certificates"]] == ["CN=sample officer"]
    assert len(shown["keys"]) == 1
    with open_token(backend.module, serial=backend.serial, pin=PIN) as opened:
        key = opened.key(certificate=der)
        assert verifies(RSA, public, key.sign(b"data", RSA), b"data")
    delete = ["--id", "01", *backend.writer, "--confirm-serial"]
    with pytest.raises(ExplainedError) as caught:
        backend.keys("delete", *delete, "other")
    assert caught.value.code == "serial_not_confirmed"
    backend.keys("delete", *delete, backend.serial)
    with open_token(backend.module, serial=backend.serial, pin=PIN) as opened:
        assert opened.certificates() == []
        assert not any(same(each.public_key, public) for each in list(opened.keys()))


def same(first, second) -> bool:
    form = (Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return first.public_bytes(*form) == second.public_bytes(*form)


def test_a_factory_reset_takes_everything_and_the_token_is_good_for_new_keys(backend):
    public = backend.generate()
    backend.import_for(public)
    backend.lock()
    officer = [] if backend.kind == "piv" else ["--so-pin-file", backend.file("so")]
    arguments = ["--new-pin-file", backend.file("new"), "--new-so-pin-file", backend.file("new-so"), *officer]
    with pytest.raises(ExplainedError) as caught:
        backend.keys("reset", *arguments, "--confirm-serial", "other")
    assert caught.value.code == "serial_not_confirmed"
    backend.serial = backend.keys("reset", *arguments, "--confirm-serial", backend.serial).strip()
    assert backend.pin_state is PinState.NORMAL
    shown = backend.show(pin="new")
    assert (shown["keys"], shown["certificates"]) == ([], [])
    backend.keys("unblock", "--so-pin-file", backend.file("new-so"), "--new-pin-file", backend.file("pin"))
    assert not same(backend.generate(), public)
    assert len(backend.show()["keys"]) == 1


# --- openCryptoki ------------------------------------------------------------------------------------------------


@pytest.fixture
def fresh_ock(opencryptoki, tmp_path):
    aside = tmp_path / "aside"
    aside.mkdir()
    with opencryptoki(aside) as module:
        yield module


def test_an_opencryptoki_token_keeps_its_label_and_its_officer(fresh_ock, tmp_path):
    """Its own C_InitToken would leave a token whose SO PIN no longer works; so it is not used for erasing."""
    backend = Backend("opencryptoki", fresh_ock, tmp_path)
    backend.init()
    public = backend.generate()
    arguments = ["--so-pin-file", backend.file("so"), "--new-pin-file", backend.file("new")]
    confirmed = ["--serial", backend.serial, "--confirm-serial", backend.serial]
    with pytest.raises(ExplainedError) as caught:
        backend.keys("init", "--label", "another", *confirmed, *arguments, on_token=False)
    assert caught.value.code == "label_is_fixed"
    with open_token(fresh_ock, serial=backend.serial, pin=PIN) as opened:
        assert same(opened.key(id=b"\x01").public_key, public)


# --- PIV cards ---------------------------------------------------------------------------------------------------


@pytest.fixture
def reader(pcscd, pcsc, piv_card, request):
    """A reader with a card from the factory in it; a test asks for another version by parameter."""
    card = piv_card.PivCard(**getattr(request, "param", {}))
    with pcsc.inserted(piv_card.VirtualReader(card, pcscd)) as reader:
        yield reader


@pytest.fixture
def opensc(reader, pcsc):
    module = find_module("opensc-pkcs11.so")
    if module is None:
        pytest.skip("needs OpenSC (apt-get install opensc)")
    pcsc.wait_until(lambda: list_tokens(module))
    return module


@pytest.fixture
def card(reader, opensc, tmp_path):
    """The card in the reader as a backend, not initialised: it has the factory's PINs."""
    backend = Backend("piv", opensc, tmp_path)
    backend.serial = list_tokens(opensc)[0].serial
    return backend


PLAIN, MOVES_KEYS = {"version": None}, {"version": (5, 7, 1)}


@pytest.mark.parametrize("reader", [PLAIN], indirect=True)
def test_a_card_without_a_reset_command_is_refused_before_anything_is_blocked(card, reader):
    public = card.generate()
    card.import_for(public)
    arguments = ["--new-pin-file", card.file("new"), "--new-so-pin-file", card.file("new-so")]
    with pytest.raises(ExplainedError) as caught:
        card.keys("reset", *arguments, "--confirm-serial", card.serial)
    assert caught.value.code == "card_cannot_reset"
    assert set(reader.card.left.values()) == {3}
    assert len(reader.card.keys) == 1


@pytest.mark.parametrize("reader", [PLAIN, {}, MOVES_KEYS], indirect=True)
def test_a_deleted_key_cannot_sign_any_more_whether_the_card_deletes_or_overwrites(card, reader):
    card.import_for(card.generate())
    before = reader.card.keys[0x9A][1]
    gone = card.keys("delete", "--id", "01", *card.writer, "--confirm-serial", card.serial)
    assert gone == "2\n"
    assert all(key is not before for _, key in reader.card.keys.values())
    assert (0x9A in reader.card.keys) is (reader.card.version is None or reader.card.version < (5, 7))
    assert "5fc105" not in reader.card.objects


def test_a_wrong_management_key_changes_nothing_and_a_new_one_is_set_by_init(card, reader):
    write_pin_file(card.folder / "garbage", "not hexadecimal")
    for wrong in ("new-management", "garbage", "pin"):
        with pytest.raises(ExplainedError) as caught:
            card.keys("generate", "--kind", "p256", "--id", "01", "--management-key-file", card.file(wrong))
        assert caught.value.code == "management_key_incorrect"
    assert reader.card.keys == {}
    arguments = ["--new-pin-file", card.file("pin"), "--new-so-pin-file", card.file("so")]
    arguments += ["--new-management-key-file", card.file("new-management"), "--confirm-serial", card.serial]
    card.serial = card.keys("reset", *arguments).strip()
    card.keys("generate", "--kind", "p256", "--id", "03", "--management-key-file", card.file("new-management"))
    assert list(reader.card.keys) == [0x9D]


def test_the_last_try_of_the_puk_needs_consent_and_a_locked_one_is_not_sent(card, reader):
    """The card tells the tries of its PUK, so its last one is not used up by accident."""
    unblock = ["unblock", "--so-pin-file", card.file("factory"), "--new-pin-file", card.file("new")]
    reader.card.left[0x81] = 1
    with pytest.raises(ExplainedError) as caught:
        card.keys(*unblock)
    assert (caught.value.code, reader.card.left[0x81]) == ("so_pin_final_try", 1)
    card.keys(*unblock, "--final-try")
    assert reader.card.secrets[0x80] == NEW_PIN.encode()
    reader.card.left[0x81] = 0
    with pytest.raises(ExplainedError) as caught:
        card.keys(*unblock, "--final-try")
    assert caught.value.code == "so_pin_locked"
    assert f"zhengyin keys reset {card.serial}" in caught.value.explain("en")


def test_pins_that_the_card_cannot_take_are_refused_before_anything_is_erased(card, reader):
    card.import_for(card.generate())
    write_pin_file(card.folder / "short", "1234")
    for pins in (("short", "so"), ("pin", "short")):
        arguments = ["--new-pin-file", card.file(pins[0]), "--new-so-pin-file", card.file(pins[1])]
        with pytest.raises(ExplainedError) as caught:
            card.keys("reset", *arguments, "--confirm-serial", card.serial)
        assert caught.value.code == "pin_invalid"
    assert len(reader.card.keys) == 1
    assert set(reader.card.left.values()) == {3}


def test_a_place_that_the_card_does_not_have_is_named(card):
    with pytest.raises(ExplainedError) as caught:
        card.keys("generate", "--kind", "p256", "--id", "77", *card.writer)
    assert caught.value.code == "no_such_place"


def test_a_card_pulled_and_put_back_signs_again_in_the_same_open_token(card, reader, pcsc):
    """Field report B02 (dead until started anew after a pull): here the module has it open, and the PIN is kept, so
    nobody is asked again."""
    public = card.generate()
    card.import_for(public)
    with open_token(card.module, serial=card.serial, pin="123456", keep_pin=True) as opened:
        key = opened.key(id=b"\x01")
        assert verifies(RSA, public, key.sign(b"before", RSA), b"before")
        reader.pull()
        pcsc.wait_until(lambda: not any(each.card for each in scan_readers().readers))
        with pytest.raises(TokenGone):
            key.sign(b"while out", RSA)
        reader.insert()
        pcsc.wait_until(lambda: any(each.card for each in scan_readers().readers))
        assert verifies(RSA, public, key.sign(b"after", RSA), b"after")
    assert reader.card.left[0x80] == 3
