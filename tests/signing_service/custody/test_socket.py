"""Over the Unix socket: the same calls, the same errors, the owner's account alone."""

import os
import socket
import stat
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from hardware.ports import Mechanism
from signing_service.custody import wire
from signing_service.custody.client import LODGE_FROM, CustodyClient
from signing_service.custody.errors import (
    CallRefused,
    CustodyUnreachable,
    SealingFrozen,
    SealNotInCustody,
    StructureRefused,
)
from signing_service.custody.keys import SealKey, ServiceKey
from signing_service.custody.socket_server import CustodyServer
from signing_service.seals import authorisation_errors as errors

SEAL = "seal-approval-bureau"
RSA = Mechanism.RSA_PKCS1_SHA256


@pytest.fixture
def path(tmp_path):
    return tmp_path / "custody.sock"


@pytest.fixture
def client(custody, path):
    with CustodyServer(path, custody):
        opened = CustodyClient(path)
        yield opened
        opened.close()


def raw(path, message):
    """What a caller that does not use our client gets."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        wire.send(connection, message)
        return wire.receive(connection)


def test_the_socket_is_the_owners_alone(client, path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_sealing_through_the_socket(client, custody, ask):
    key = SealKey.of(client, SEAL, ask.authorise("批复"))
    attributes = ask.attributes("批复")
    signature = key.sign(attributes, RSA)
    assert client.signature_of(SEAL, attributes, key.authorisation) == signature
    assert client.uses(SEAL) == custody.uses(SEAL)
    assert [use.use.kind for use in client.uses(SEAL)] == ["digest"]


def test_errors_arrive_as_the_same_class_with_the_same_words(client, custody, ask):
    attributes, authorisation = ask.attributes("批复"), ask.authorise("批复")
    client.seal(SEAL, attributes, authorisation, RSA)
    with pytest.raises(errors.AuthorisationUsed) as theirs:
        client.seal(SEAL, attributes, authorisation, RSA)
    with pytest.raises(errors.AuthorisationUsed) as ours:
        custody.seal(SEAL, attributes, authorisation, RSA)
    assert theirs.value.explain("zh") == ours.value.explain("zh")
    assert str(theirs.value) == str(ours.value)
    with pytest.raises(SealNotInCustody):
        client.seal("unknown", attributes, authorisation, RSA)
    with pytest.raises(StructureRefused):
        client.sign_service("log", b"x")


def test_the_stop_switch_works_from_afar_but_is_lifted_at_custody_alone(client, custody, path, ask):
    client.freeze("all", actor="示例管理员", reason="怀疑失控")
    assert client.frozen() == custody.frozen()
    with pytest.raises(SealingFrozen):
        client.seal(SEAL, ask.attributes("批复"), ask.authorise("批复"), RSA)
    answer = raw(path, {"call": "thaw", "arguments": {"scope": "all", "actor": "x", "reason": "x"}})
    assert answer["error"]["code"] == "custody_call_refused"
    assert not hasattr(client, "thaw")


def test_services_and_withdrawal_through_the_socket(client, custody, ask):
    key = ServiceKey.of(client, "log")
    assert key.public_key == ServiceKey.of(custody, "log").public_key
    assert ServiceKey.of(client, "tsa").certificate == custody.service_certificates("tsa")[0]
    client.withdraw("0" * 32, "文件有误")


@pytest.mark.parametrize(
    "message",
    [
        {"call": "close", "arguments": {}},
        {"call": "__init__", "arguments": {}},
        {"call": "frozen", "arguments": {"more": 1}},
        {"call": "lodge", "arguments": {"authorisation": "text"}},
        {"call": "sign_service", "arguments": {"kind": "log", "content": b"", "mechanism": "none"}},
        {"call": ["frozen"], "arguments": {}},
        {},
    ],
)
def test_what_is_not_offered_is_refused(client, path, message):
    assert raw(path, message)["error"]["code"] == "custody_call_refused"


@pytest.mark.parametrize("sent", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x03abc", b"\x00\x00\x00\x02[]", b"\x00\x00"])
def test_junk_does_not_harm_the_server(client, path, sent):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1 << 16)
    assert client.frozen() == []


def test_a_large_authorisation_crosses_once(client, ask, monkeypatch):
    texts = [f"批量 {number}" for number in range(200)]
    authorisation = ask.authorise(*texts)
    assert len(authorisation) > LODGE_FROM
    sent = []
    send = wire.send
    monkeypatch.setattr(wire, "send", lambda c, message: (sent.append(message.get("call")), send(c, message)))
    for text in texts[:3]:
        client.seal(SEAL, ask.attributes(text), authorisation, RSA)
    assert [call for call in sent if call] == ["seal", "lodge", "seal", "seal", "seal"]


def test_many_threads_share_one_client(client, ask):
    texts = [f"批量 {number}" for number in range(24)]
    authorisation = ask.authorise(*texts)
    with ThreadPoolExecutor(8) as pool:
        signatures = list(pool.map(lambda t: client.seal(SEAL, ask.attributes(t), authorisation, RSA), texts))
    assert len(set(signatures)) == 24


def test_without_a_custody_process_the_error_says_how_to_start_it(path):
    with pytest.raises(CustodyUnreachable, match="zhengyin custody"):
        CustodyClient(path).frozen()


def test_the_client_comes_back_after_a_restart(custody, path):
    client = CustodyClient(path)
    with CustodyServer(path, custody):
        assert client.frozen() == []
    with pytest.raises(CustodyUnreachable):
        client.frozen()
    with CustodyServer(path, custody):
        assert client.frozen() == []


def test_a_left_over_socket_file_is_replaced_but_a_living_server_is_not(custody, path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with CustodyServer(path, custody), pytest.raises(CallRefused, match="already"):
        CustodyServer(path, custody)


def answer_to_nobody(path):
    """What a process of another account is told; a child that only opens, reads and ends."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            os.write(writer, connection.recv(1 << 16))
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        return pipe.read()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another account")
def test_another_account_is_turned_away(custody):
    """Even where the file's mode would let it in."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "custody.sock"
        with CustodyServer(path, custody):
            path.chmod(0o666)
            assert b"custody_call_refused" in answer_to_nobody(path)


def test_an_error_class_that_is_not_known_here_keeps_its_code_and_words(client):
    content = {"class": "somewhere.Else", "code": "else", "what": ["坏了。", "It broke."], "why": None, "advice": None}
    error = wire.error_from_json(content)
    assert (error.code, str(error)) == ("else", "It broke.")


def test_calls_run_side_by_side(client, custody, path, ask, clock):
    """A caller that keeps its connection open and says nothing does not hold up another."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(path))
        done = threading.Event()
        thread = threading.Thread(target=lambda: (CustodyClient(path).frozen(), done.set()))
        thread.start()
        assert done.wait(30)
        thread.join()
    clock.instant += timedelta(seconds=1)


def test_recovery_and_pages_ask_the_same_over_the_socket(client, custody, ask):
    client.seal(SEAL, ask.attributes("批复"), ask.authorise("批复"), RSA)
    (use,) = client.uses(SEAL, kind="digest")
    assert client.was_signed(SEAL, use.use.digest) is True
    assert client.was_signed(SEAL, "0" * 64) is False
    assert client.uses(SEAL, kind="emergency") == []
    assert client.pinned(SEAL) == custody.pinned(SEAL)
