"""Rules as the commands need them: loaded, proven by their examples, and with what is odd about them said."""

from __future__ import annotations

from pathlib import Path

from logrouter.config.mistakes import ConfigError
from logrouter.config.rules import load_rules
from logrouter.observe import events
from logrouter.rules import checks
from logrouter.rules.ruleset import RuleSet


def rule_set(path: Path) -> RuleSet:
    """The rules at `path`. Raises ConfigError for whatever keeps a router from starting; warnings are events."""
    rules = RuleSet(load_rules([path]))
    if found := checks.mistakes(rules):
        raise ConfigError(found)
    for warning in checks.warnings(rules.config):
        events.RULES_ODD.happened(warning=warning)
    return rules
