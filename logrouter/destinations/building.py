"""A configuration -> its destinations, ready to be used by a router.

In come models, directories and passwords, out go destinations by name; what keeps one from being built is a UserError
or a Mistake with its place.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from logrouter.config.destinations import ArchiveModel, DiscardModel
from logrouter.config.email import EmailModel, Security
from logrouter.config.mistakes import Mistake
from logrouter.config.rules import RuleConfig
from logrouter.destinations.archive.archive import Archive, ArchiveSettings
from logrouter.destinations.contract import Inline, Notifying
from logrouter.destinations.discard import Discard
from logrouter.destinations.email.checking import template_problem
from logrouter.destinations.email.composing import Letterhead
from logrouter.destinations.email.email import Email
from logrouter.destinations.email.sending import Login, Send, to_directory, to_server
from logrouter.errors import UserError
from logrouter.ledger.ledger import Ledger


def build_inline(config: RuleConfig, ledger: Ledger, archive_directory: Path) -> dict[str, Inline]:
    """The inline destinations of a configuration by name.

    archive_directory: for archives that name none. Raises OSError when a directory cannot be made.
    """
    built: dict[str, Inline] = {}
    for name, model in config.destinations.items():
        match model:
            case ArchiveModel():
                settings = ArchiveSettings(
                    directory=Path(model.dir) if model.dir else archive_directory,
                    template=model.path,
                    text=model.format == "text",
                    zone=config.timezone,
                    rotate_size=model.rotate,
                    keep_days=int(model.keep // 86400) if model.keep else None,
                )
                built[name] = Archive(name, settings, ledger)
            case DiscardModel():
                built[name] = Discard()
    return built


def build_notifying(config: RuleConfig, instance: str, mail_directory: Path) -> list[Notifying]:
    """The destinations that tell somebody.

    mail_directory: where `file:` writes to that names none. Raises UserError for a password or a certificate that is
    not there.
    """
    built: list[Notifying] = []
    for name, model in config.destinations.items():
        if isinstance(model, EmailModel):
            letterhead = _letterhead(config, name, model, instance)
            built.append(Email(letterhead, _send(name, model, mail_directory), group_wait=model.group_wait))
    return built


def mistakes(config: RuleConfig) -> Iterator[Mistake]:
    """What is wrong with destinations that only trying them shows: templates."""
    for name, model in config.destinations.items():
        if not isinstance(model, EmailModel) or not model.templates:
            continue
        if problem := template_problem(_letterhead(config, name, model, "main")):
            remedy = "docs/rules.md says what templates see"
            yield Mistake(config.places[name], f"destination `{name}`: {problem}", remedy)


def _letterhead(config: RuleConfig, name: str, model: EmailModel, instance: str) -> Letterhead:
    return Letterhead(
        destination=name,
        instance=instance,
        router=socket.gethostname(),
        sender=model.sender,
        recipients=tuple(model.to),
        zone=config.timezone,
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
            problem = f"destination `{name}`: {model.password_file} is no text in UTF-8"
            raise UserError(problem, "write the password into it, and nothing else") from None
    password = os.environ.get(model.password_env)
    if password is None:
        raise UserError(
            f"destination `{name}`: the environment has no {model.password_env}",
            f"start logrouter with {model.password_env} set to the password, or write `password_file: PATH`",
        )
    return password
