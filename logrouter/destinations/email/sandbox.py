"""Renders a user's own templates in a separate process with limits for processor time and memory.

Jinja's sandbox keeps a template from reaching anything, but not from looping for hours or filling the memory, and a
thread of the router could not be stopped from that. So each mail by such templates costs a process, about 0.2 s. The
kernel ends the process when its time is used up, even within one multiplication, and denies it more memory.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from logrouter.destinations.email.renderer import SHIPPED, Rendered
from logrouter.errors import LogrouterError

_SECONDS = 5
"""The processor time for all mails of a call."""

_PATIENCE = 30.0
"""Seconds of wall time that the process may take, because the machine may be busy."""

_BYTES = 512 << 20
"""The address space, of which Python and Jinja take about 100 MB."""

_ENVIRONMENT = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""The environment variables that the process gets: those that Python needs, and none that may hold a password."""


class TemplateError(LogrouterError):
    """A template cannot be rendered. The message says why, as one clause."""


def render(directory: Path, mails: Sequence[Mapping[str, Any]]) -> list[Rendered]:
    """Return the texts of each mail. A template that `directory` does not have is the shipped one.

    Raises TemplateError.
    """
    job = {"directories": [str(directory), str(SHIPPED)], "mails": mails, "seconds": _SECONDS, "bytes": _BYTES}
    try:
        # In a session of its own, because Ctrl-C in a terminal is meant for the router.
        done = subprocess.run(
            [sys.executable, "-P", "-m", "logrouter.destinations.email.renderer"],
            input=json.dumps(job).encode(),
            capture_output=True,
            timeout=_PATIENCE,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TemplateError(f"the templates take longer than {_PATIENCE:g} s") from None
    except OSError as error:
        raise TemplateError(f"cannot start a process for the templates: {error}") from error
    if done.returncode == -signal.SIGXCPU:
        raise TemplateError(f"the templates take more than {_SECONDS} s of processor time")
    try:
        answer = json.loads(done.stdout)
        problem, texts = answer.get("problem"), answer.get("texts", [])
    except ValueError:
        last = done.stderr.decode(errors="replace").rstrip().rpartition("\n")[2]
        raise TemplateError(f"the templates ended their process with status {done.returncode}: {last}") from None
    if problem:
        raise TemplateError(problem)
    return list(texts)
