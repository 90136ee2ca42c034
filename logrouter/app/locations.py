"""Where rules, inputs, state and archives are when nobody says."""

from __future__ import annotations

import os
from pathlib import Path

from logrouter.errors import UserError

_PACKAGE = Path(__file__).parents[1]


def rules_path(chosen: Path | None) -> Path:
    """Where rules are: what was chosen, ./rules, /etc/logrouter/rules, else the copy that came with the program.

    Raises UserError if what was chosen does not exist.
    """
    if chosen is not None:
        if not chosen.exists():
            raise UserError(f"there is no {chosen}", "--rules with a file or directory of *.yaml")
        return chosen
    for directory in (Path("rules"), Path("/etc/logrouter/rules")):
        if any(directory.glob("*.y*ml")):
            return directory
    return shipped_rules()


def shipped_rules() -> Path:
    """The rules that came with the program."""
    shipped = _PACKAGE / "shipped" / "rules"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "rules"


def inputs_path(chosen: Path | None) -> Path:
    """Where inputs are: what was chosen, ./shippers, /etc/logrouter/shippers, else what came with the program.

    Raises UserError if what was chosen has no YAML file.
    """
    candidates = (chosen,) if chosen is not None else (Path("shippers"), Path("/etc/logrouter/shippers"))
    for path in candidates:
        if any(path.glob("*.y*ml")) if path.is_dir() else path.exists():
            return path
    if chosen is not None:
        raise UserError(f"there are no *.yaml files in {chosen}", "--config with a file or directory of inputs")
    return _PACKAGE.parent / "shippers"


def state_directory(chosen: Path | None) -> Path:
    """Where state is: what was chosen, systemd's StateDirectory, root's /var/lib, else the XDG state directory."""
    if chosen is not None:
        return chosen
    if managed := os.environ.get("STATE_DIRECTORY"):
        return Path(managed.split(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/logrouter")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "logrouter"


def archive_directory(state: Path) -> Path:
    """Where archives go that name no directory of their own."""
    return Path("/var/log/central") if os.geteuid() == 0 and state == Path("/var/lib/logrouter") else state / "archive"


def mail_directory(state: Path) -> Path:
    """Where mail is written to that names no server."""
    return state / "mail"


def shipper_state(state: Path) -> Path:
    """The shipper's own directory below the state directory."""
    return state / "shipper"


def socket_path(state: Path) -> Path:
    """Where a running `up` lets other processes of its user in."""
    return state / "logrouter.sock"
