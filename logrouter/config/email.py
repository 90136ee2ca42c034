"""The model of an email destination: recipients, sender, server and limits.

A mistake is a ValueError with its remedy after a newline.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from logrouter.config.units import Duration
from logrouter.config.validation import Strict


class Security(Enum):
    """When TLS begins on a connection to a mail server."""

    OFFERED = "smtp"  # STARTTLS if the server offers it; `require_tls` makes it mandatory
    STARTTLS = "smtp+starttls"  # STARTTLS is mandatory
    TLS = "smtps"  # TLS from the first byte
    FILE = "file"  # no server: .eml files in a directory


_PORTS = {Security.OFFERED: 25, Security.STARTTLS: 587, Security.TLS: 465, Security.FILE: 0}
_HOST = re.compile(r"[\w.:-]+")
_DOMAIN = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_ADDRESS_LENGTH = 254
"""RFC 5321 section 4.5.3.1.3, without the angle brackets."""
_FORMS = "write smtp://HOST:25, smtp+starttls://HOST:587, smtps://HOST:465, file: or file:///DIRECTORY"


@dataclass(frozen=True, slots=True)
class MailServer:
    """The server or directory that receives mail. directory: for FILE; '' is the one below the state directory."""

    security: Security
    host: str = ""
    port: int = 0
    username: str = ""
    directory: str = ""

    def __str__(self) -> str:
        if self.security is Security.FILE:
            return f"file:{self.directory}"
        return f"{self.security.value}://{self.host}:{self.port}"


def parse_server(text: object) -> MailServer:
    """Return the server that an address names. Raises ValueError, and never shows a password."""
    shown = _without_password(str(text))
    try:
        url = urlsplit(str(text))
        security, port = Security(url.scheme), url.port
    except ValueError:
        raise ValueError(f"{shown!r} is not the address of a mail server\n{_FORMS}") from None
    if url.query or url.fragment:
        raise ValueError(f"the address {shown!r} has a `?` or `#` part, which a mail server cannot have\n{_FORMS}")
    if url.password:
        raise ValueError("the address contains a password\nuse `password_env: NAME` or `password_file: PATH` instead")
    if security is Security.FILE:
        if url.netloc or (url.path and not url.path.startswith("/")):
            raise ValueError(f"{shown!r} does not name an absolute directory\n{_FORMS}")
        return MailServer(security, directory=unquote(url.path))
    if not _HOST.fullmatch(url.hostname or "") or url.path.strip("/"):
        raise ValueError(f"{shown!r} must name exactly one host, and no path\n{_FORMS}")
    return MailServer(security, url.hostname or "", port or _PORTS[security], unquote(url.username or ""))


def _without_password(text: str) -> str:
    head, at, tail = text.rpartition("@")
    shown = f"***@{tail}" if at and ":" in head else text
    return re.split("[?#]", shown)[0]


def _check_address(address: str) -> str:
    # `=?` begins an encoded word, and some programs decode one even in an address
    is_plain = address.isascii() and address.isprintable() and "=?" not in address and len(address) <= _ADDRESS_LENGTH
    try:
        known = Address(addr_spec=address).addr_spec if is_plain else ""
    except (ValueError, IndexError, MessageError):
        known = ""
    if "@" not in known or known != address:
        raise ValueError(f"{address!r} is not a mail address\nwrite one such as ops@example.org")
    return address


def is_domain(name: str) -> bool:
    """Report whether a host name can be used in an address and in a greeting: it can be set to any bytes."""
    return _DOMAIN.fullmatch(name) is not None


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Addresses = Annotated[list[str], BeforeValidator(_as_list)]
Server = Annotated[MailServer, BeforeValidator(parse_server)]


class EmailModel(Strict):
    """Mail: `{type: email, to: [ops@example.org], server: "smtp://localhost:25"}`.

    group_wait: seconds for which records are collected into one mail.   max_per_hour: mails; further ones are counted.
    templates: a directory with any of subject.txt, text.txt and mail.html.   timeout: seconds for each SMTP command.
    """

    type: Literal["email"]
    to: Addresses
    from_: str = Field(default="", alias="from")
    server: Server
    username: str = ""
    password_env: str = ""
    password_file: str = ""
    require_tls: bool = False
    ca_file: str = ""
    group_wait: Duration = 5.0
    max_per_hour: int = Field(default=20, ge=1)
    timeout: Duration = Field(default=30.0, gt=0)
    templates: str = ""

    @field_validator("to")
    @classmethod
    def _recipients(cls, to: Sequence[str]) -> list[str]:
        if not to:
            raise ValueError("`to` is empty\nname at least one address")
        return [_check_address(address) for address in dict.fromkeys(to)]

    @field_validator("from_")
    @classmethod
    def _sender(cls, sender: str) -> str:
        return _check_address(sender) if sender else sender

    @field_validator("password_file", "ca_file", "templates")
    @classmethod
    def _absolute(cls, path: str) -> str:
        if path and not Path(path).is_absolute():
            raise ValueError(f"{path!r} is not an absolute path\nstart it with /, such as /etc/logrouter/{path}")
        return path

    @model_validator(mode="after")
    def _one_password(self) -> EmailModel:
        if self.password_env and self.password_file:
            raise ValueError("`password_env` and `password_file` are both set\nremove one of them")
        if (self.password_env or self.password_file) and not self.login:
            raise ValueError("a password is set, but no user name\nadd `username: NAME`")
        if self.login and not (self.password_env or self.password_file):
            raise ValueError("a user name is set, but no password\nadd `password_env: NAME` or `password_file: PATH`")
        return self

    @property
    def sender(self) -> str:
        """The sender in the envelope and in the `From` header."""
        host = socket.gethostname()
        return self.from_ or f"logrouter@{host if is_domain(host) else 'localhost'}"

    @property
    def login(self) -> str:
        """The user name for the server; '' for none."""
        return self.username or self.server.username
