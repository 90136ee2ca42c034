"""Named points, before and after each durable step, at which tests can kill the process or make a call fail.

Without faults, `reach` only checks a module variable. The fault campaign (`make faults`) arms faults through the
environment variable LOGROUTER_FAULT when a process starts. It holds any number of these, separated by spaces:

    archive.write.after:3              SIGKILL this process the third time that it reaches this point
    ledger.*:0.01@7                    SIGKILL each time with a probability of 0.01, with 7 as the random seed
    archive.sync.before:0.5@7=EIO      do not kill, but make the call fail with this error; works with a count as well

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
"""The beginning of the line on standard error. The point and the effect follow."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An armed fault.

    is_due: called each time that a point that matches `pattern` is reached; true to fire.
    error: the errno of the OSError to raise, or 0 to kill the process.
    """

    pattern: str
    is_due: Callable[[], bool]
    error: int = 0


def parse(text: str) -> tuple[Fault, ...]:
    """Parse the value of LOGROUTER_FAULT. Raises ValueError if it is malformed."""
    return tuple(map(_parse_one, text.split()))


def _parse_one(text: str) -> Fault:
    rest, _, name = text.partition("=")
    pattern, colon, when = rest.partition(":")
    chance, at, seed = when.partition("@")
    error = getattr(errno, name, None) if name else 0
    if not (pattern and colon and chance) or error is None:
        raise ValueError(f"{text!r} is not POINT:NUMBER or POINT:PROBABILITY@SEED, optionally followed by =ERROR")
    if at:
        draw, below = random.Random(int(seed)).random, float(chance)  # noqa: S311  # for tests, and repeatable
        return Fault(pattern, lambda: draw() < below, error)
    reached, number = count(1), int(chance)
    return Fault(pattern, lambda: next(reached) == number, error)


def reach(point: str) -> None:
    """Fire the faults that are armed for `point`: kill this process, or raise OSError. Usually does nothing."""
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
