"""Which port the server takes, and what it says when the port is taken."""

import socket

import pytest

from cli.listening import PortTaken, address_of, listen


def test_a_taken_port_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port} is taken") as raised:
            listen(f"http://127.0.0.1:{port}", None)
    assert "--port" in raised.value.explain("zh")


def test_zero_takes_any_free_port() -> None:
    with listen("http://127.0.0.1:9", 0) as bound:
        assert address_of(bound).startswith("http://127.0.0.1:")
        assert not address_of(bound).endswith(":9")


def test_the_homes_own_port_is_taken_without_an_option() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with listen(f"http://127.0.0.1:{port}", None) as bound:
        assert bound.getsockname()[1] == port
