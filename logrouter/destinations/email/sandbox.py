"""Templates of a user's own, rendered in a process of their own, whose seconds and memory are bounded.

A sandbox keeps a template from reaching anything, not from looping for hours or filling the memory, and neither can be
ended in a thread of the router. So each mail by such templates costs a process, some 0.2 s; the kernel ends it when it
has had its seconds, in the middle of a multiplication too, and denies it more than its memory.
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
"""Of processor time, for all mails of a call."""

_PATIENCE = 30.0
"""Seconds for which it may last on a machine that is busy with other things."""

_BYTES = 512 << 20
"""Of address space, of which Python and Jinja take some 100 MB."""

_ENVIRONMENT = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""What a Python needs of ours, and no password."""


class TemplateError(LogrouterError):
    """What is wrong with a template, in a sentence."""


def render(directory: Path, mails: Sequence[Mapping[str, Any]]) -> list[Rendered]:
    """The texts of each mail, by the templates in that directory and else the shipped ones. Raises TemplateError."""
    job = {"directories": [str(directory), str(SHIPPED)], "mails": mails, "seconds": _SECONDS, "bytes": _BYTES}
    try:
        # In a session of its own: the Ctrl-C of a terminal is for the router.
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
        raise TemplateError(f"no process can be started for the templates: {error}") from error
    if done.returncode == -signal.SIGXCPU:
        raise TemplateError(f"the templates take more than {_SECONDS} s of processor time")
    try:
        answer = json.loads(done.stdout)
        problem, texts = answer.get("problem"), answer.get("texts", [])
    except ValueError:
        last = done.stderr.decode(errors="replace").rstrip().rpartition("\n")[2]
        raise TemplateError(f"the templates ended their process, status {done.returncode}: {last}") from None
    if problem:
        raise TemplateError(problem)
    return list(texts)
