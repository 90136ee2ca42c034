"""A real SMTP server on loopback for tests, in the test's own event loop, that fails as it is told to.

In come the answers it shall give, out goes what it was sent. A certificate for it is made by `openssl`.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import warnings
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HANG, CUT = "hang", "cut"
"""Instead of an answer: never say anything, end the connection."""


@dataclass(frozen=True, slots=True)
class Received:
    """A mail as it came. content: with CRLF, dots no longer doubled.   username: '' for nobody logged in."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    tls: bool
    username: str

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        parsed = BytesParser(policy=default).parsebytes(self.content)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def text(self) -> str:
        """The text part, with LF."""
        part = self.message.get_body(("plain",))
        assert isinstance(part, EmailMessage)
        return str(part.get_content()).replace("\r\n", "\n")


@dataclass
class MailServer:
    """What a server shall do, and what it got.

    answers: what to say at a verb (EHLO, MAIL, RCPT, DATA), in turn; 250 once they are used up.
    refused: what to say to recipients, always.   tried: contents at each DATA.   mails: those it has taken.
    """

    port: int = 0
    answers: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    refused: dict[str, str] = field(default_factory=dict)
    password: str = ""
    tried: list[bytes] = field(default_factory=list)
    mails: list[Received] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of what it got."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(holds)

    async def taken(self, number: int) -> list[Received]:
        """The mails, once there are so many."""
        await self.until(lambda: len(self.mails) >= number)
        return self.mails

    @asynccontextmanager
    async def running(
        self, *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, auth: bool = False
    ) -> AsyncIterator[MailServer]:
        """Serve on 127.0.0.1; the port stays the same from one time to the next. auth: whether it asks for a login."""

        def protocol() -> SMTP:
            with warnings.catch_warnings(action="ignore"):  # that a login without TLS is unsafe is what is tested
                return SMTP(
                    self,
                    hostname="localhost",
                    tls_context=starttls,
                    authenticator=self._authenticate if auth else None,
                    auth_required=auth,
                    auth_require_tls=False,
                )

        listening = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", self.port, ssl=tls)
        self.port = listening.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listening.close()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.password)
        success = data.password.decode() == self.password
        return AuthResult(success=success, handled=False, auth_data=data.login.decode() if success else None)

    async def handle_EHLO(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        answer = await self._answer(server, "EHLO")
        session.host_name = hostname
        return [answer] if answer else responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self._answer(server, "MAIL")
        envelope.mail_from = address
        return answer or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.refused.get(address) or await self._answer(server, "RCPT")
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content
        assert isinstance(content, bytes)
        self.tried.append(content)
        mail = Received(
            str(envelope.mail_from),
            tuple(map(str, envelope.rcpt_tos)),
            content,
            _transport(server).get_extra_info("ssl_object") is not None,
            str(session.auth_data or ""),
        )
        # Whoever hangs or is cut off has taken the mail, and could not say so any more.
        taken = not self.answers["DATA"] or self.answers["DATA"][0] in (HANG, CUT)
        if taken:
            self.mails.append(mail)
        async with self._changed:
            self._changed.notify_all()
        return await self._answer(server, "DATA") or "250 OK"

    async def _answer(self, server: SMTP, verb: str) -> str:
        if not self.answers[verb]:
            return ""
        answer = self.answers[verb].popleft()
        if answer == HANG:
            await asyncio.Event().wait()
        if answer == CUT:
            _transport(server).abort()
        return answer


def _transport(server: SMTP) -> asyncio.Transport:
    assert isinstance(server.transport, asyncio.Transport)
    return server.transport


def make_certificate(directory: Path) -> ssl.SSLContext:
    """A server's context with a certificate of its own for localhost, in `directory`/certificate.pem and key.pem."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context
