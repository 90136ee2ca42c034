"""Loads rules for the commands, tests them with their examples, and reports what is odd about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from logrouter.config.mistakes import ConfigError
from logrouter.config.rules import load_rules
from logrouter.destinations import registry as building
from logrouter.observability import events
from logrouter.rules import checks
from logrouter.rules.ruleset import RuleSet


def load_checked(paths: Sequence[Path]) -> RuleSet:
    """Return the rules at `paths`. Raises ConfigError with every mistake that keeps a router from starting."""
    rules = RuleSet(load_rules(paths))
    if found := [*checks.mistakes(rules), *building.mistakes(rules.config)]:
        raise ConfigError(found)
    return rules


def rule_set(path: Path) -> RuleSet:
    """Return the rules at `path` for a router, and log an event for each warning. Raises ConfigError."""
    rules = load_checked([path])
    for warning in checks.warnings(rules.config):
        events.RULES_ODD.happened(warning=warning.sentence)
    return rules
