"""`zhengyin serve`, `worker` and `custody`: the processes of one home. `serve` starts and stops the other two."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TextIO

import typer
import uvicorn

from cli.listening import address_of, listen, listen_for_proxy
from cli.opened_home import open_home
from cli.processes import announce_ready, end_with_parent, running
from signing_service.custody.core import Custody
from signing_service.custody.socket_server import CustodyServer
from signing_service.errors import Text
from signing_service.kernel.logs import configure_logs


def custody(ctx: typer.Context) -> None:
    """Start the process that owns the service tokens; it listens on HOME/custody/custody.sock until stopped."""
    end_with_parent()
    settings = open_home(ctx.obj.home)
    configure_logs("custody")
    server = CustodyServer(settings.custody_socket, Custody(settings.custody))
    with server:
        announce_ready(socket=str(settings.custody_socket))
        _until_stopped()


def worker(
    ctx: typer.Context,
    server: Annotated[str, typer.Option(help="The web server of this home, whose TSA is asked.")] = "",
    only_sealing: Annotated[bool, typer.Option("--only-sealing", help="Batches of seals alone.")] = False,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes that seal.")] = 1,
    lease: Annotated[int, typer.Option(min=2, help="Seconds until a silent machine's documents are taken over.")] = 120,
) -> None:
    """Start the worker: what waits in the outbox, what is due each minute, and batches of seals."""
    from cli.seal_batches import make_sealing_worker

    end_with_parent()
    settings = open_home(ctx.obj.home)
    configure_logs("worker")
    url, period = server or settings.base_url, timedelta(seconds=lease)
    made = [make_sealing_worker(settings, url, processes=processes, lease=period)]
    if not only_sealing:
        from cli.slow_workers import make_slow_workers
        from cli.worker import make_worker

        made += [make_worker(settings, url), *make_slow_workers(settings, url)]
    for each in made:
        each.start()
    announce_ready()
    _until_stopped()
    for each in made:
        each.close()


def serve(
    ctx: typer.Context,
    port: Annotated[int | None, typer.Option(help="Instead of the home's own port; 0 takes any free one.")] = None,
    socket: Annotated[
        Path | None, typer.Option(help="Also listen on this Unix socket, for the TLS proxy on this machine.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Announce the address as one JSON line.")] = False,
) -> None:
    """Start custody, worker and web server of a home, and stop them together (Ctrl-C)."""
    end_with_parent()
    settings = open_home(ctx.obj.home)
    logs = settings.home / "logs"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn hands the signal on; then the others are stopped
    with ExitStack() as stack:
        bound = stack.enter_context(listen(settings.base_url, port))
        stack.enter_context(running(settings.home, "custody", log=logs / "custody.log"))
        url = address_of(bound)
        stack.enter_context(running(settings.home, "worker", "--server", url, log=logs / "worker.log"))
        from cli.web_app import make_web_app

        configure_logs("web", stack.enter_context(_log_stream(logs)))
        app = make_web_app(settings, url)
        sockets = [bound] if socket is None else [bound, stack.enter_context(listen_for_proxy(socket))]
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, proxy_headers=False))
        if json_output:
            announce_ready(url=url)
        else:
            words = Text(f"服务已启动:{url}/ (Ctrl-C 停止)", f"Serving at {url}/ (Ctrl-C stops)")
            print(words.in_(ctx.obj.language), file=sys.stderr, flush=True)
        server.run(sockets=sockets)


@contextmanager
def _log_stream(logs: Path) -> Iterator[TextIO]:
    """Where the server's log goes: to stderr, or to logs/web.log while somebody watches stderr on a terminal."""
    if not sys.stderr.isatty():
        yield sys.stderr
        return
    logs.mkdir(exist_ok=True)
    with (logs / "web.log").open("a", encoding="utf-8") as stream:
        yield stream


def _until_stopped() -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
