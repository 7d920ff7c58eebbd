"""The sockets that the server listens on: the home's own address or another port of it, and one for a TLS proxy."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from urllib.parse import urlsplit

from signing_service.errors import SigningServiceError, Text


class PortTaken(SigningServiceError):
    code = "port_taken"

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            Text(f"端口 {host}:{port} 已被占用,服务没有启动。", f"{host}:{port} is taken; the server did not start."),
            why=Text("另一个程序(可能是已启动的政印)正在使用它。", "Another program, perhaps this server, uses it."),
            advice=Text(
                "请停止那个程序,或用 --port 指定别的端口(0 表示任选)。",
                "Stop that program, or choose another port with --port (0 takes any free one).",
            ),
        )


def listen(base_url: str, port: int | None) -> socket.socket:
    """A bound socket on base_url's host; `port` None takes base_url's own, 0 any free one. Raises PortTaken."""
    parts = urlsplit(base_url)
    host = parts.hostname or "127.0.0.1"
    wanted = parts.port or 80 if port is None else port
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, wanted))
        bound.listen(128)
    except OSError as failure:
        bound.close()
        if failure.errno == errno.EADDRINUSE:
            raise PortTaken(host, wanted) from failure
        raise
    return bound


def listen_for_proxy(path: Path) -> socket.socket:
    """A Unix socket for the TLS proxy on this machine; owner and group may connect, nobody else. A socket that a server
    left behind is replaced."""
    if path.is_socket():
        path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound.bind(str(path))
    path.chmod(0o660)
    bound.listen(128)
    return bound


def address_of(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://{host}:{port}"
