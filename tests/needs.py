"""Programs that some tests use and scripts/test-needs.sh installs."""

from __future__ import annotations

import os
import shutil

import pytest


def needs(program: str) -> None:
    """Skip where a program is not installed; in CI, where it must be, fail."""
    if shutil.which(program) is None:
        lacks(f"{program} is not installed")


def lacks(what: str) -> None:
    """Skip, since a machine lacks something; in CI, where it must not, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and in CI its tests must run", pytrace=False)
    pytest.skip(what)
