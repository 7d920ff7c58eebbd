"""A running office: real server on a loopback port, real cases, USB keys on SoftHSM, the real engine as examiner."""

import hashlib
import importlib.util
import socket
import threading
from datetime import timedelta
from pathlib import Path

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import event

from cert_registry.licences.holder_vault import AesHolderVault
from cli.outside_parts import outside_check
from signing_service.agent.officer_key import OfficerKey
from signing_service.agent.paired_servers import PairedServers
from signing_service.app import Parts, create_app
from signing_service.approvals import course, intake
from signing_service.approvals.applicants import Applicant
from signing_service.approvals.casework import Casework
from signing_service.approvals.examining import Finding
from signing_service.approvals.intake import CaseRequest
from signing_service.approvals.matter_catalogue import MatterCatalogue
from signing_service.approvals.outward import typeset_outward
from signing_service.approvals.rules import Actor
from signing_service.channel.completion import PadesCompletion
from signing_service.channel.server_identity import load_identity
from signing_service.errors import Text
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.blobs import LocalBlobs
from signing_service.kernel.database import Base, Database
from signing_service.kernel.pages import Link
from signing_service.pades.appearance import TextAppearance
from signing_service.pades.placing import Placing
from signing_service.pades.request import SignatureRequest
from signing_service.pades.sign import sign
from signing_service.people.notice_outbox import Notice, To, queue_notice
from signing_service.people.officers import AUTHENTICATION, SIGNING
from signing_service.people.register import NewOfficer, PeopleRegister
from signing_service.people.rules import Role
from signing_service.pki.register import CertificateRegister, Holder, Why
from signing_service.pki.rules import Actor as PkiActor
from signing_service.settings import Settings
from signing_service.verification.engine import verify
from signing_service.verification.policy import Policy, Purpose
from signing_service.web.desk import DeskNeeds, make_desk

_spec = importlib.util.spec_from_file_location("web_usb_keys", Path(__file__).parents[1] / "agent" / "usb_keys.py")
usb_keys = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(usb_keys)

CLERK = Actor("clerk", "approvals", frozenset({"window"}))
OFFICERS = {"li": "审批员甲", "wang": "审批员乙", "admin-1": "管理员甲", "admin-2": "管理员乙", "chen": "窗口人员甲"}


class SetClock:
    def __init__(self, now):
        self.instant = now

    def now(self):
        return self.instant

    def advance(self, **parts):
        self.instant += timedelta(**parts)


class Office:
    """Everything of one deployment, and a server while `running`."""

    def __init__(self, folder, ring, authority, *, tls=None):
        """`tls`: a file with the server's certificate and key; without it the server speaks plain HTTP."""
        self.folder, self.ring, self.authority, self.tls = folder, ring, authority, tls
        self.clock, self.audit = SetClock(usb_keys.NOW), AuditLog()
        self.database = Database(f"sqlite:///{folder / 'zhengyin.db'}")
        event.listen(self.database.engine, "connect", _without_waiting_for_the_disk)
        Base.metadata.create_all(self.database.engine)
        self.people = PeopleRegister(self.database, self.clock, self.audit)
        self.certificates = CertificateRegister(self.database, self.clock, self.audit)
        self.vault = AesHolderVault({1: bytes(32)})
        self.work = Casework(
            self.database, LocalBlobs(folder / "blobs"), self.clock, MatterCatalogue.read(), personal_numbers=self.vault
        )
        self.identity = load_identity(folder / "channel" / "server.key")
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(64)
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self.socket.getsockname()[1]}"
        self.desk = make_desk(
            DeskNeeds(
                work=self.work, people=self.people, certificates=self.certificates, complete=PadesCompletion(),
                outside=outside_check(self.settings(), self.database, self.clock),
                examine=self.examine, identity=self.identity, origin=self.origin, server_name="示例市政印",
                seal=self.seal,
            )
        )  # fmt: skip
        self._found()
        self.server = None

    def settings(self):
        return Settings(
            home=self.folder, profile="demo", database_url=str(self.database.url), token_module="", city="示例市",
            base_url=self.origin, outbound_hosts=frozenset(),
        )  # fmt: skip

    def start(self):
        settings = self.settings()
        links = [Link("/desk", Text("办件", "Desk")), Link("/admin", Text("管理", "Administration"))]
        parts = Parts(database=self.database, clock=self.clock, routers=self.desk.routers, links=links)
        app = create_app(settings, parts)
        self.server = uvicorn.Server(
            uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1, ssl_certfile=self.tls)
        )
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.should_exit = True
        self.thread.join()
        self.database.close()

    def open_cases(self, count, matter="project-plan", route=()):
        """Cases whose first step waits for a reviewer; returns their numbers."""
        opened = []
        for number in range(1, count + 1):
            fields = {"project_name": f"滨河路{number}号楼", "location": "示例区滨河路", "content": "新建综合楼一栋"}
            applicant = Applicant("示例建设有限公司", "91990000MA990001X2")
            case = intake.open_case(
                self.work, CaseRequest(matter=matter, applicant=applicant, fields=fields, route=route), CLERK
            )
            intake.accept(self.work, case.case_id, CLERK)
            course.begin_review(self.work, case.case_id, CLERK)
            opened.append(case)
        return opened

    def receive(self, project="滨河路0号楼"):
        """A case that nobody has accepted yet."""
        fields = {"project_name": project, "location": "示例区滨河路", "content": "新建综合楼一栋"}
        applicant = Applicant("示例建设有限公司", "91990000MA990001X2")
        return intake.open_case(
            self.work, CaseRequest(matter="project-plan", applicant=applicant, fields=fields), CLERK
        )

    def fail_a_notice(self):
        text, now = Text("办件有环节将到期。{site}", "A step is due. {site}"), self.clock.now()
        with self.database.write() as session:
            queue_notice(session, "deadline:1", "deadline", To("mail", "li@zw.example.cn"), text, now)
            session.query(Notice).one().state = "dead"

    def key_of(self, officer):
        return OfficerKey((self.ring[officer].module,), self.ring[officer].serial)

    def servers_of(self, officer):
        """What the officer's PC keeps."""
        return PairedServers(self.folder / f"pc-{officer}")

    def revoke(self, certificate):
        actor = PkiActor(id="pki-operator", roles=frozenset({"pki_operator"}))
        self.certificates.change(hashlib.sha256(certificate).hexdigest(), "revoke", actor, Why("遗失"))

    def examine(self, pdf):
        anchors = {Purpose.OFFICERS: [self.authority.certificate], Purpose.SEALS: [self.authority.certificate]}
        policy = Policy(anchors=anchors, at=self.clock.now(), crls=[self._crl()])
        return Finding.from_report(verify(pdf, policy))

    def seal(self, case_id, actor):
        """The outward document, typeset and sealed with a seal's key in memory; custody has tests of its own."""
        revision = typeset_outward(self.work, case_id, actor)
        placing = Placing(*revision.area.as_dict().values())
        request = SignatureRequest(
            field="Seal-1", signed_at=self.clock.now(), appearance=TextAppearance(["示例印章"]), placing=placing
        )
        completed = sign(revision.content, request, SealKeyInMemory(self.authority))
        course.sealed(self.work, case_id, actor, completed, examine=self.examine)

    def _crl(self):
        issuer = x509.load_der_x509_certificate(self.authority.certificate).subject
        builder = x509.CertificateRevocationListBuilder(
            issuer, usb_keys.NOW - timedelta(hours=1), usb_keys.NOW + timedelta(days=30)
        ).add_extension(x509.CRLNumber(1), critical=False)
        return builder.sign(self.authority.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _found(self):
        ca = self.authority.certificate
        operator = PkiActor(id="pki-operator")
        with self.database.write() as session:
            self.people.add_department(session, "approvals", "示例市行政审批局", "11990000MB9900013U")
            self.people.add_department(session, "housing", "示例市住房和城乡建设局", "11990000MB9900021N")
            self.certificates.add_issued(session, ca, ca, "issuing-ca", Holder("ca"), operator)
            for id, name in OFFICERS.items():
                self.people.add_officer(session, NewOfficer(id, name, "approvals"))
            for id, key in self.ring.items():
                for der, purpose in ((key.signing, SIGNING), (key.login, AUTHENTICATION)):
                    self.people.bind_certificate(session, id, der, purpose=purpose)
                    self.certificates.add_issued(session, der, ca, f"officer-{purpose}", Holder(id), operator)
            administrators = [("admin-1", Role.SEAL_ADMINISTRATOR), ("admin-2", Role.SEAL_ADMINISTRATOR)]
            reviewers = [
                ("li", Role.REVIEWER),
                ("wang", Role.REVIEWER),
                ("wang", Role.PKI_OPERATOR),
                ("chen", Role.CLERK),
            ]
            self.people.bootstrap(session, [*administrators, *reviewers, ("chen", Role.CLERK)])


class SealKeyInMemory:
    """A seal's key as a `SigningKey`."""

    def __init__(self, authority):
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.certificate = authority.issue("示例市行政审批局", self.private.public_key())
        self.chain = [authority.certificate]

    def sign(self, data, _mechanism):
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))


def _without_waiting_for_the_disk(connection, _record):
    """A test's database need not survive a power cut."""
    connection.execute("PRAGMA synchronous=OFF")


class Scripted:
    """A surface that answers as an officer would, and notes what it was shown."""

    def __init__(self, pin=usb_keys.PIN):
        self.pin, self.consent, self.code = pin, True, None
        self.shown, self.told, self.outcomes, self.pins_asked = [], [], [], 0

    def confirm_server(self, name, origin, fingerprint):
        self.shown.append((name, origin, fingerprint))
        return True

    def ask_login_code(self, origin):
        return self.code() if callable(self.code) else self.code

    def show(self, server, frozen, code, jobs, certificate):
        self.shown.append((server, code, [each.job.title for each in jobs], certificate))
        return self.consent() if callable(self.consent) else self.consent

    def ask_pin(self, info):
        self.pins_asked += 1
        return self.pin

    def progress(self, job, done, total, outcome):
        self.outcomes.append((job.title, outcome.en))

    def tell(self, text):
        self.told.append(text.en)

    def wait(self):
        raise AssertionError("nobody is there to go on")
