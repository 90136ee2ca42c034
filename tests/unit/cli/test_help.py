"""Help as people see it: examples stand on lines of their own, ready to be copied."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from logrouter.cli import COMMANDS, group


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_examples_are_lines_of_their_own(command: tuple[str, ...]) -> None:
    text = CliRunner().invoke(group, [*command, "--help"]).output
    assert "\\b" not in text
    assert "\b" not in text
    assert re.search(r"^  (.*\| )?logrouter \w+", text, re.MULTILINE)
