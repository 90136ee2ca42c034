"""Named points at which a process can be made to die or to fail, before and after each durable step. A test facility.

Unarmed, `reach` is one look at a module's variable. The fault campaign (`make faults`) arms it by the environment, as
the process starts; LOGROUTER_FAULT holds any number of these, separated by spaces:

    archive.write.after:3              SIGKILL of this process the third time that this point is reached
    ledger.*:0.01@7                    SIGKILL each time with a chance of 0.01, drawn from seed 7
    archive.sync.before:0.5@7=EIO      no kill: the call there fails with this error; also with a number

A point is named as in the code, or by a shell pattern. Each fault that fires writes one line to standard error.
"""

from __future__ import annotations

import errno
import os
import random
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import count

VARIABLE = "LOGROUTER_FAULT"
FIRED = "fault.fired"
"""How the line on standard error begins; point and effect follow."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One armed fault. is_due: asked once for each time that a point of this pattern is reached.

    error: the number of the OSError to raise, 0 to kill.
    """

    pattern: str
    is_due: Callable[[], bool]
    error: int = 0


def parse(text: str) -> tuple[Fault, ...]:
    """What LOGROUTER_FAULT says. Raises ValueError for anything else."""
    return tuple(map(_parse_one, text.split()))


def _parse_one(text: str) -> Fault:
    rest, _, name = text.partition("=")
    pattern, colon, when = rest.partition(":")
    chance, at, seed = when.partition("@")
    error = getattr(errno, name, None) if name else 0
    if not (pattern and colon and chance) or error is None:
        raise ValueError(f"{text!r} is not POINT:NUMBER or POINT:CHANCE@SEED, with =ERROR where it is to fail")
    if at:
        draw, below = random.Random(int(seed)).random, float(chance)  # noqa: S311  # for tests, and to be replayed
        return Fault(pattern, lambda: draw() < below, error)
    reached, number = count(1), int(chance)
    return Fault(pattern, lambda: next(reached) == number, error)


def reach(point: str) -> None:
    """This point is reached. Does nothing unless it is armed; then it may not return, or raise OSError."""
    if _armed is not None:
        _fire(point, _armed)


def _fire(point: str, armed: tuple[Fault, ...]) -> None:
    for fault in armed:
        if fnmatchcase(point, fault.pattern) and fault.is_due():
            effect = errno.errorcode[fault.error] if fault.error else "SIGKILL"
            os.write(2, f"{FIRED} {point} {effect}\n".encode())
            if not fault.error:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(fault.error, f"{os.strerror(fault.error)} (armed at {point})")


def _from_environment(environment: Mapping[str, str]) -> tuple[Fault, ...] | None:
    return parse(environment[VARIABLE]) if environment.get(VARIABLE) else None


_armed = _from_environment(os.environ)
