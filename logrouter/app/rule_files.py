"""Rules as the commands need them: loaded, proven by their examples, and with what is odd about them said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from logrouter.config.mistakes import ConfigError
from logrouter.config.rules import load_rules
from logrouter.destinations import registry as building
from logrouter.observability import events
from logrouter.rules import checks
from logrouter.rules.ruleset import RuleSet


def checked_rules(paths: Sequence[Path]) -> RuleSet:
    """The rules at `paths`. Raises ConfigError for whatever keeps a router from starting."""
    rules = RuleSet(load_rules(paths))
    if found := [*checks.mistakes(rules), *building.mistakes(rules.config)]:
        raise ConfigError(found)
    return rules


def rule_set(path: Path) -> RuleSet:
    """The same for a router: what is odd about them is an event each."""
    rules = checked_rules([path])
    for warning in checks.warnings(rules.config):
        events.RULES_ODD.happened(warning=warning.sentence)
    return rules
