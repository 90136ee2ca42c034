"""Named points: armed they do as they are told, unarmed nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from faults.schedule import ERRORS, points, points_of
from logrouter.support.failpoint import FIRED, VARIABLE, parse

REACHED = """
from logrouter.support.failpoint import reach
for number in range(1, 21):
    try:
        reach("disk.write.before")
        print(number)
    except OSError as error:
        print(error.errno)
    reach("disk.write.after")
"""


def reached(fault: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    armed = {} if fault is None else {VARIABLE: fault}
    return subprocess.run(
        [sys.executable, "-u", "-c", REACHED], env=environment | armed, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("fault", [None, "", "other.point:1", "disk.write.before:21", "disk.*:0.0@1"])
def test_what_is_not_armed_or_not_due_does_nothing(fault: str | None) -> None:
    result = reached(fault)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.split() == [str(number) for number in range(1, 21)]


@pytest.mark.parametrize(("point", "seen"), [("disk.write.before", 2), ("disk.write.after", 3)])
def test_it_dies_the_third_time(point: str, seen: int) -> None:
    result = reached(f"{point}:3")
    assert result.returncode == -signal.SIGKILL
    assert result.stdout.split() == [str(number) for number in range(1, seen + 1)]
    assert result.stderr == f"{FIRED} {point} SIGKILL\n"


def test_a_call_fails_with_the_chance_it_was_given_and_the_same_each_time() -> None:
    first, again = reached("disk.write.before:0.5@7=ENOSPC"), reached("disk.write.before:0.5@7=ENOSPC")
    assert first.stdout == again.stdout
    assert 0 < first.stderr.count(f"{FIRED} disk.write.before ENOSPC\n") < 20
    assert first.returncode == 0


def test_several_are_armed_at_once() -> None:
    result = reached("disk.write.before:2=EIO disk.write.after:4")
    assert result.stdout.split() == ["1", "5", "3", "4"]
    assert result.returncode == -signal.SIGKILL


@pytest.mark.parametrize("text", ["point", "point:", ":3", "point:x", "point:0.5", "point:1=ENOTHING", "point:1@x"])
def test_a_fault_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"POINT:NUMBER|invalid literal|could not convert"):
        parse(text)


def test_the_campaign_knows_every_point() -> None:
    every = set(points())
    assert set(ERRORS) <= every
    assert set(points_of("ship")) | set(points_of("run")) <= set(points_of("up")) <= every
    assert len(every) > 40
