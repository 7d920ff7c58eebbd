"""What commands need of an initialised home: settings, its tokens' module, custody, the TSA, the seal's picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from hardware.softhsm import SoftHsmStore
from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.blobs import write_atomically
from signing_service.settings import Settings, load_settings

if TYPE_CHECKING:
    from signing_service.custody.ports import CustodyPort
    from signing_service.pdf.picture import VectorPicture


class SealPictureMissing(SigningServiceError):
    code = "seal_picture_missing"

    def __init__(self, seal_id: str) -> None:
        super().__init__(
            Text(f"没有印章“{seal_id}”的印模图像。", f'There is no picture of the seal "{seal_id}".'),
            advice=Text("请用 zhengyin seals list 查看有哪些印章。", "See which seals there are: zhengyin seals list."),
        )


def open_home(home: Path) -> Settings:
    """The home's settings, with SoftHSM pointed at its store where that is its module. Raises SettingsUnreadable."""
    settings = load_settings(home)
    store = SoftHsmStore(settings.tokens)
    if store.configuration.exists():
        store.activate()
    return settings


def open_custody(settings: Settings) -> CustodyPort:
    """The running custody process over its socket; else custody in this process, if it may read policy and PINs."""
    from signing_service.custody.client import CustodyClient
    from signing_service.custody.core import Custody
    from signing_service.custody.errors import CustodyUnreachable

    try:
        client = CustodyClient(settings.custody_socket)
        client.frozen()
    except CustodyUnreachable:
        return Custody(settings.custody)
    return client


def save_picture(settings: Settings, seal_id: str, picture: VectorPicture) -> None:
    """Keep a seal's finished drawing, so that sealing needs no font."""
    content = {"width_mm": picture.width_mm, "height_mm": picture.height_mm, "content": picture.content.decode("ascii")}
    path = _picture_path(settings, seal_id)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, json.dumps(content).encode())


def load_picture(settings: Settings, seal_id: str) -> VectorPicture:
    """The drawing that `save_picture` kept. Raises SealPictureMissing."""
    path = _picture_path(settings, seal_id)
    if not seal_id.replace("-", "").isalnum() or not path.exists():
        raise SealPictureMissing(seal_id)
    from signing_service.pdf.picture import VectorPicture

    content = json.loads(path.read_text())
    return VectorPicture(content["content"].encode("ascii"), content["width_mm"], content["height_mm"])


def _picture_path(settings: Settings, seal_id: str) -> Path:
    return settings.home / "seals" / f"{seal_id}.json"
