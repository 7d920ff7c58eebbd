"""Another body's timestamp authority, real: `openssl ts -reply` behind HTTP."""

from __future__ import annotations

import http.server
import threading

from tests.signing_service.pki.second_ca import EC, SecondCa

CONFIGURATION = """[tsa]
default_tsa = one
[one]
serial = tsa.serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class OpensslTsa:
    """`openssl ts -reply` behind HTTP, with a certificate of the second CA."""

    def __init__(self, ca: SecondCa) -> None:
        self.ca, self.root = ca, ca.root
        ca.run("req", *EC, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Example TSA")
        usage = "keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n"
        ca.sign(ca.folder / "tsa.csr", "tsa.pem", usage)
        (ca.folder / "tsa.serial").write_text("01")
        self.configure(CONFIGURATION)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = outer.reply(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/tsa"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def configure(self, text: str) -> None:
        (self.ca.folder / "tsa.cnf").write_text(text)

    def reply(self, query: bytes) -> bytes:
        (self.ca.folder / "query.tsq").write_bytes(query)
        self.ca.run("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-signer", "tsa.pem", "-inkey",
                    "tsa.key", "-out", "reply.tsr")  # fmt: skip
        return (self.ca.folder / "reply.tsr").read_bytes()

    def kill(self) -> None:
        self._server.shutdown()
        self._server.server_close()
