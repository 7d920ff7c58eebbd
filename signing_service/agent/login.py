"""Log-in, started here: open the browser with a ticket, take the page's code, sign for that one session.

What is signed names the origin that this agent is paired with, never one that a server or a page suggests.
"""

from __future__ import annotations

from collections.abc import Callable

from hardware.ports import Token
from signing_service.agent.connection import Connection
from signing_service.agent.errors import OriginDiffers
from signing_service.agent.messages import encoded
from signing_service.agent.officer_key import OfficerKey, PinCancelled
from signing_service.agent.protocol import login_statement
from signing_service.agent.surface import Surface
from signing_service.agent.token_pairs import authentication_pair
from signing_service.errors import Text

OpenBrowser = Callable[[str], object]


def log_in(connection: Connection, key: OfficerKey, surface: Surface, open_browser: OpenBrowser) -> None:
    """Raises OriginDiffers, ServerRefused (its code says why), PinCancelled, TokenError."""
    address = str(connection.post("/agent/v1/login").json()["address"])
    if not address.startswith(f"{connection.origin}/"):
        raise OriginDiffers(f"地址:{address}。", f"Address: {address}.")
    open_browser(address)
    code = surface.ask_login_code(connection.origin)
    if code is None:
        raise PinCancelled
    challenge = connection.post("/agent/v1/login/code", {"code": code}).json()
    if challenge["origin"] != connection.origin:
        raise OriginDiffers(f"它要求登录 {challenge['origin']}。", f"It asks for a log-in at {challenge['origin']}.")
    session, nonce = str(challenge["session"]), str(challenge["nonce"])
    key.use(surface, lambda token: _prove(connection, token, session, nonce))
    surface.tell(Text("已登录,请回到浏览器。", "You are logged in; go back to the browser."))


def _prove(connection: Connection, token: Token, session: str, nonce: str) -> None:
    login = authentication_pair(token)
    signature = login.sign(login_statement(connection.origin, session, nonce))
    proof = {"session": session, "certificate": encoded(login.certificate), "signature": encoded(signature)}
    connection.post("/agent/v1/login/proof", proof)
