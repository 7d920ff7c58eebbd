"""Another body's CA, real: openssl's keys and certificates, its OCSP responder on a port of its own, and a plain web
server for its CRL. It may be killed and started again."""

from __future__ import annotations

import http.server
import re
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
AUTHORITY = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n"
RESPONDER = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\nnoCheck=yes\n"


class SecondCa:
    """`index` is openssl's own database of what it issued: the truth that the responder and the CRL tell. `above`: the
    CA that certified this one, with what its certificate says besides (`sources`); a root has none."""

    def __init__(
        self, folder: Path, name: str = "Example Licensed CA", above: SecondCa | None = None, sources: str = ""
    ) -> None:
        self.folder, self.port = folder, 0
        folder.mkdir(parents=True, exist_ok=True)
        self._responder: subprocess.Popen[str] | None = None
        self._serials: dict[str, datetime] = {}
        self._revoked: dict[str, str] = {}
        if above is None:
            self.run("req", "-x509", *EC, "-keyout", "ca.key", "-out", "ca.pem", "-days", "400", "-subj", f"/CN={name}",
                     "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
        else:
            self.run("req", *EC, "-keyout", "ca.key", "-out", "ca.csr", "-subj", f"/CN={name}")
            above.sign(folder / "ca.csr", f"{folder.name}.pem", AUTHORITY + sources)
            (folder / "ca.pem").write_bytes((above.folder / f"{folder.name}.pem").read_bytes())
        self.run("req", *EC, "-keyout", "ocsp.key", "-out", "ocsp.csr", "-subj", "/CN=Example responder")
        self.sign(self.folder / "ocsp.csr", "ocsp.pem", RESPONDER)

    def run(self, *arguments: str) -> None:
        done = subprocess.run(
            ["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr

    @property
    def root(self) -> bytes:
        return self.der("ca.pem")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def der(self, name: str) -> bytes:
        return x509.load_pem_x509_certificate((self.folder / name).read_bytes()).public_bytes(Encoding.DER)

    def sign(self, csr: Path, output: str, extensions: str) -> bytes:
        """The certificate (DER) over a request, PEM or DER."""
        (self.folder / "extensions").write_text(extensions)
        form = "PEM" if csr.read_bytes().startswith(b"-----") else "DER"
        self.run("x509", "-req", "-inform", form, "-in", str(csr), "-CA", "ca.pem", "-CAkey", "ca.key",
                 "-extfile", "extensions", "-out", output, "-days", "300")  # fmt: skip
        made = x509.load_der_x509_certificate(self.der(output))
        self._serials[f"{made.serial_number:X}"] = made.not_valid_after_utc
        self._write_index()
        return self.der(output)

    def officer(self, name: str, more: str = "", csr: Path | None = None) -> bytes:
        """An officer's certificate; its key in NAME.key where no request is given."""
        if csr is None:
            self.run("req", *EC, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
            csr = self.folder / f"{name}.csr"
        usage = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature,nonRepudiation\n"
        return self.sign(csr, f"{name}.pem", usage + more)

    def revoke(self, certificate: bytes, ago: timedelta = timedelta(minutes=1)) -> None:
        """In the index, as of `ago`; the responder tells it when it is started again."""
        serial = x509.load_der_x509_certificate(certificate).serial_number
        self._revoked[f"{serial:X}"] = f"{datetime.now(UTC) - ago:%y%m%d%H%M%SZ},keyCompromise"
        self._write_index()

    def _write_index(self) -> None:
        lines = []
        for serial, ends in self._serials.items():
            revoked = self._revoked.get(serial, "")
            hexed = serial if len(serial) % 2 == 0 else f"0{serial}"
            lines.append(f"{'R' if revoked else 'V'}\t{ends:%y%m%d%H%M%SZ}\t{revoked}\t{hexed}\tunknown\t/CN=x\n")
        (self.folder / "index.txt").write_text("".join(lines))
        (self.folder / "index.txt.attr").write_text("unique_subject = no\n")

    def start(self, minutes: int = 5, signer: str = "ocsp") -> None:
        """The responder; on its old port where it had one. Its answers hold for `minutes`."""
        self._responder = subprocess.Popen(
            ["openssl", "ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", f"{signer}.pem", "-rkey",
             f"{signer}.key", "-port", str(self.port), "-nmin", str(minutes), "-ignore_err"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert self._responder.stdout is not None
        for line in self._responder.stdout:
            if found := re.search(r"ACCEPT .*:(\d+)", line):
                self.port = int(found.group(1))
                return
        raise AssertionError("the responder did not start")

    def kill(self) -> None:
        if self._responder is not None:
            self._responder.kill()
            self._responder.wait()
            assert self._responder.stdout is not None
            self._responder.stdout.close()
            self._responder = None

    def crl(self, days: int = 7) -> bytes:
        """A CRL (DER) of what the index says now."""
        (self.folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=one\n[one]\ndatabase=index.txt\ncertificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\n"
        )
        self.run("ca", "-config", "ca.cnf", "-gencrl", "-crldays", str(days), "-out", "crl.pem")
        self.run("crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl.der")
        return (self.folder / "crl.der").read_bytes()


class Files:
    """A web server with one answer a path; counts what it was asked. Use as a context manager."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self.answers, self.asked = answers, list[str]()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                body = outer.answers.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.end_headers()
                self.wfile.write(body or b"")

            do_POST = do_GET  # noqa: N815  # the name that http.server wants

            def log_message(self, *_: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Files:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
