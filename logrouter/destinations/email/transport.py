"""A mail -> its server, or a directory.

In comes a mail as bytes with one recipient, and when the call returns it is out of our hands; else Retry or Refuse.
What the server answers for good (5yz to sender, recipient or content, RFC 5321) is a Refuse; everything else, TLS that
was demanded and is not there and a rejected password included, may be put right and is a Retry.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiosmtplib
from aiosmtplib import (
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from logrouter.config.email import MailServer, Security, is_domain
from logrouter.errors import Refuse, Retry
from logrouter.support.filesystem import replace_file
from logrouter.support.terminal import printable

_MENDABLE = {530, 534, 535, 538}
"""Answers about TLS and AUTH (RFC 4954, 6), which a server may give to the sender's address as well."""

_REASON_LENGTH = 500

Send = Callable[[str, str, bytes, str], Awaitable[None]]
"""(sender, recipient, mail, message id) -> nothing. Raises Retry, Refuse."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user name with its password; neither is ever shown."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Login(...)"


def to_directory(directory: Path) -> Send:
    """Write each mail as an .eml file, the same mail always under the same name."""

    def write(mail: bytes, message_id: str) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        date = parsedate_to_datetime(BytesHeaderParser().parsebytes(mail)["Date"])
        identity = message_id.strip("<>").partition("@")[0]
        replace_file(directory / f"{date:%Y-%m-%dT%H%M%SZ}-{identity[:12]}.eml", mail)

    async def send(sender: str, recipient: str, mail: bytes, message_id: str) -> None:
        try:
            await asyncio.to_thread(write, mail, message_id)
        except OSError as error:
            raise Retry(f"{directory}: {error.strerror}") from error

    return send


def to_server(server: MailServer, login: Login | None, *, require_tls: bool, ca_file: str, timeout: float) -> Send:
    """Send each mail over a connection of its own. timeout: seconds for each answer of the server."""
    must = require_tls or login is not None or server.security is Security.STARTTLS
    context = _tls(ca_file, verified=must or server.security is Security.TLS)

    async def send(sender: str, recipient: str, mail: bytes, message_id: str) -> None:
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=await asyncio.to_thread(greeting),
            timeout=timeout,
            use_tls=server.security is Security.TLS,
            start_tls=False if server.security is Security.TLS else (True if must else None),
            tls_context=context,
        )
        try:
            try:
                await client.connect()
                if login is not None:
                    await client.login(login.username, login.password)
                await client.sendmail(sender, [recipient], mail)
                with contextlib.suppress(SMTPException, OSError):  # it has taken the mail, whatever it says to QUIT
                    await client.quit()
            finally:
                client.close()
        except (SMTPRecipientsRefused, SMTPResponseException, SMTPException, OSError, ValueError) as error:
            raise _failure(error, server) from error

    return send


def _tls(ca_file: str, *, verified: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    if not verified:
        # Where plain text would do, encryption to whoever answers is more than that (RFC 7435).
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def greeting() -> str:
    """What EHLO says who we are: an address where the name is none (RFC 5321, 4.1.3)."""
    name = socket.getfqdn() if is_domain(socket.gethostname()) else ""  # which raises what it likes of any other
    return name if is_domain(name) else "[127.0.0.1]"


def _failure(error: Exception, server: MailServer) -> Retry | Refuse:
    if isinstance(error, SMTPRecipientsRefused):
        error = error.recipients[0]
    reason = f"{server}: {_said(error)}"
    about_the_mail = (SMTPSenderRefused, SMTPRecipientRefused, SMTPDataError)
    if isinstance(error, about_the_mail) and error.code // 100 == 5 and error.code not in _MENDABLE:
        return Refuse(reason)
    return Retry(reason)


def _said(error: Exception) -> str:
    said = f"{error.code} {error.message}" if isinstance(error, SMTPResponseException) else str(error)
    return printable(" ".join(said.split()))[:_REASON_LENGTH] or type(error).__name__
