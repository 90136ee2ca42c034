"""Delivers a mail to its server or to a directory.

A `Send` call takes one mail with one recipient, and returns when the receiver has accepted it. A permanent answer of
the server about the mail (5yz to sender, recipient or content, RFC 5321) raises Refuse. Everything else can be put
right and raises Retry, including a server without the TLS that is required, and a rejected password.
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
"""Answers about TLS and AUTH (RFC 4954, 6). A server may also give them to the sender's address."""

_REASON_LENGTH = 500

Send = Callable[[str, str, bytes, str], Awaitable[None]]
"""A function of sender, recipient, mail and message id. Raises Retry, Refuse."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and its password. Its repr shows neither."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Login(...)"


def to_directory(directory: Path) -> Send:
    """Return a Send that writes each mail as an .eml file, the same mail always under the same name."""

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
    """Return a Send that opens a connection for each mail. timeout: seconds for each answer of the server.

    TLS is required with `require_tls`, with a login, and with STARTTLS; otherwise it is used if the server offers it.
    """
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
                with contextlib.suppress(SMTPException, OSError):  # the mail is accepted, whatever the answer to QUIT
                    await client.quit()
            finally:
                client.close()
        except (SMTPRecipientsRefused, SMTPResponseException, SMTPException, OSError, ValueError) as error:
            raise _failure(error, server) from error

    return send


def _tls(ca_file: str, *, verified: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    if not verified:
        # Where plain text is allowed, even encryption without authentication is better (RFC 7435).
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def greeting() -> str:
    """Return our name for EHLO: an address literal if the host name is not a domain (RFC 5321, 4.1.3)."""
    # getfqdn can raise any error for a host name that is not a domain.
    name = socket.getfqdn() if is_domain(socket.gethostname()) else ""
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
