"""A whole home behind a running server: its officers log in with the tokens that play their USB keys."""

import importlib.util
import re
import socket
import threading
from pathlib import Path

import httpx
import uvicorn

from cli.init import SQLITE_URL, STEPS, make_home
from cli.opened_home import open_home
from cli.progress import Progress
from cli.stage import open_stage
from cli.web_app import make_web_app
from hardware.driver import list_tokens
from hardware.pin_source import read_pin_file
from signing_service.agent.login import log_in
from signing_service.agent.officer_key import OfficerKey
from signing_service.agent.paired_servers import PairedServers
from signing_service.agent.pairing import connect, pair

_spec = importlib.util.spec_from_file_location("desk_office_surface", Path(__file__).with_name("desk_office.py"))
_desk_office = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_desk_office)


class SealOffice:
    """`browser(officer)`: a logged-in HTTP client; `enter(officer, page)`: the same for a real browser's page."""

    def __init__(self, folder):
        self.folder = folder
        self.settings = make_home(folder / "zhengyin-home", SQLITE_URL, Progress(STEPS, "en"))
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(64)
        self.origin = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.server = uvicorn.Server(
            uvicorn.Config(make_web_app(self.settings, self.origin), log_level="error", access_log=False,
                           timeout_graceful_shutdown=1)
        )  # fmt: skip
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)
        self.thread.start()
        self.stage = open_stage(self.settings)
        self.serials = {info.label: info.serial for info in list_tokens(self.settings.token_module)}
        self.paired = {}

    def stop(self):
        self.server.should_exit = True
        self.thread.join()
        self.stage.close()

    def activate(self):
        """SoftHSM knows one store at a time: this home's."""
        open_home(self.settings.home)

    def surface(self, officer, code=None):
        surface = _desk_office.Scripted(pin=read_pin_file(self.settings.pins / f"{officer}.pin"))
        surface.code = code
        return surface

    def connection(self, officer):
        if officer not in self.paired:
            key, servers = self.key(officer), PairedServers(self.folder / f"pc-{officer}")
            self.paired[officer] = pair(self.origin, key, self.surface(officer), servers)
        return connect(self.paired[officer])

    def key(self, officer):
        return OfficerKey((self.settings.token_module,), self.serials[officer])

    def key_uri(self, officer):
        """The signing key on the officer's token, its PIN in the home's file."""
        pin_file = self.settings.pins / f"{officer}.pin"
        return f"pkcs11:serial={self.serials[officer]};object=signing?pin-source=file:{pin_file}"

    def enter(self, officer, page):
        log_in(
            self.connection(officer),
            self.key(officer),
            self.surface(officer, lambda: page.inner_text("#code")),
            page.goto,
        )

    def browser(self, officer):
        headers = {"origin": self.origin, "accept": "text/html", "accept-language": "zh"}
        browser, seen = httpx.Client(base_url=self.origin, headers=headers, follow_redirects=True, timeout=60), []
        surface = self.surface(officer, lambda: re.search(r'id="code">([^<]+)<', seen[-1].text)[1])
        log_in(self.connection(officer), self.key(officer), surface, lambda address: seen.append(browser.get(address)))
        return browser
