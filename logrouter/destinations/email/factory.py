"""Builds an email destination from its configuration, and checks its templates."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from zoneinfo import ZoneInfo

from logrouter.config.email import EmailModel, Security
from logrouter.destinations.email.composer import Letterhead
from logrouter.destinations.email.email import Email
from logrouter.destinations.email.template_check import template_problem
from logrouter.destinations.email.transport import Login, Send, to_directory, to_server
from logrouter.errors import UserError


def build_email(name: str, model: EmailModel, zone: ZoneInfo, instance: str, mail_directory: Path) -> Email:
    """Return the destination of a configuration.

    mail_directory: the directory of a `file:` server that names none. Raises UserError if the password or a certificate
    cannot be read.
    """
    letterhead = _letterhead(name, model, zone, instance)
    return Email(letterhead, _send(name, model, mail_directory), group_wait=model.group_wait)


def templates_problem(name: str, model: EmailModel, zone: ZoneInfo) -> str | None:
    """Return what is wrong with the templates, by a trial run, or None."""
    return template_problem(_letterhead(name, model, zone, "main"))


def _letterhead(name: str, model: EmailModel, zone: ZoneInfo, instance: str) -> Letterhead:
    return Letterhead(
        destination=name,
        instance=instance,
        router=socket.gethostname(),
        sender=model.sender,
        recipients=tuple(model.to),
        zone=zone,
        per_hour=model.max_per_hour,
        templates=Path(model.templates) if model.templates else None,
    )


def _send(name: str, model: EmailModel, mail_directory: Path) -> Send:
    server = model.server
    if server.security is Security.FILE:
        return to_directory(Path(server.directory) if server.directory else mail_directory)
    try:
        login = Login(model.login, _password(name, model)) if model.login else None
        return to_server(server, login, require_tls=model.require_tls, ca_file=model.ca_file, timeout=model.timeout)
    except OSError as error:
        raise UserError(
            f"destination `{name}`: cannot read {error.filename or model.ca_file}: {error.strerror or error}",
            "give it to the user that runs the router, with mode 0400",
        ) from error


def _password(name: str, model: EmailModel) -> str:
    if model.password_file:
        try:
            return Path(model.password_file).read_text(encoding="utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            problem = f"destination `{name}`: {model.password_file} is not UTF-8 text"
            raise UserError(problem, "put the password into it, and nothing else") from None
    password = os.environ.get(model.password_env)
    if password is None:
        raise UserError(
            f"destination `{name}`: the environment variable {model.password_env} is not set",
            f"start logrouter with {model.password_env} set to the password, or write `password_file: PATH`",
        )
    return password
