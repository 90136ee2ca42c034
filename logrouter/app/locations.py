"""The default locations of rules, inputs, state and archives."""

from __future__ import annotations

import os
from pathlib import Path

from logrouter.errors import UserError

_PACKAGE = Path(__file__).parents[1]


def rules_path(chosen: Path | None) -> Path:
    """Return the path of the rules: `chosen`, ./rules, /etc/logrouter/rules, else the bundled rules.

    Raises UserError if `chosen` does not exist.
    """
    if chosen is not None:
        if not chosen.exists():
            raise UserError(
                f"{chosen} does not exist", "--rules PATH, the path of a rules file or a directory of *.yaml files"
            )
        return chosen
    for directory in (Path("rules"), Path("/etc/logrouter/rules")):
        if any(directory.glob("*.y*ml")):
            return directory
    return shipped_rules()


def shipped_rules() -> Path:
    """Return the directory of the bundled rules."""
    shipped = _PACKAGE / "shipped" / "rules"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "rules"


def inputs_path(chosen: Path | None) -> Path:
    """Return the path of the inputs: `chosen`, ./shippers, /etc/logrouter/shippers, else the bundled inputs.

    Raises UserError if `chosen` has no YAML file.
    """
    candidates = (chosen,) if chosen is not None else (Path("shippers"), Path("/etc/logrouter/shippers"))
    for path in candidates:
        if any(path.glob("*.y*ml")) if path.is_dir() else path.exists():
            return path
    if chosen is not None:
        raise UserError(
            f"{chosen} has no *.yaml files", "--config PATH, the path of an inputs file or a directory of *.yaml files"
        )
    return _PACKAGE.parent / "shippers"


def state_directory(chosen: Path | None) -> Path:
    """Return `chosen`, systemd's StateDirectory, /var/lib/logrouter for root, else a directory in XDG_STATE_HOME."""
    if chosen is not None:
        return chosen
    if managed := os.environ.get("STATE_DIRECTORY"):
        return Path(managed.split(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/logrouter")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "logrouter"


def archive_directory(state: Path) -> Path:
    """Return the directory of archives that name none."""
    return Path("/var/log/central") if os.geteuid() == 0 and state == Path("/var/lib/logrouter") else state / "archive"


def mail_directory(state: Path) -> Path:
    """Return the directory to which mail is written if its destination names no server."""
    return state / "mail"


def shipper_state(state: Path) -> Path:
    """Return the directory of the shipper below the state directory."""
    return state / "shipper"


def socket_path(state: Path) -> Path:
    """Return the socket on which a running `up` accepts other processes of its user."""
    return state / "logrouter.sock"
