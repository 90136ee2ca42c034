"""Finds what must not leave a host: card numbers, addresses, credentials. Pure.

Each finder yields the spans to replace, in order and without overlap. No span contains a newline, and a newline bounds
a span as the end of the text does, so a search in joined lines finds what searches in each line find. The time is
linear in the text, because no pattern looks far ahead from many positions.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator

from logrouter.support.regex import compile_regex

Span = tuple[int, int]
Finder = Callable[[str], Iterator[Span]]

_DIGITS = re.compile(r"\d(?<!\d\d)(?=(?:[ -]?\d){12})\d*(?:[ -]\d+)*", re.ASCII)
"""Groups of digits, with at least as many digits as the shortest card number."""
_SOME_DIGITS = compile_regex("[0-9](?:[ -]?[0-9]){12}")
_GROUP = re.compile(r"\d+", re.ASCII)
_SHORTEST, _LONGEST = 13, 19
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""The value of each second digit in Luhn's sum: its double, with the digits of that added."""

_DOMAIN = re.compile(r"(?:[^\W_][\w-]{0,62}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_LOCAL = re.compile(r"[\w+%-][\w.+%'-]*\Z")
_LONGEST_LOCAL = 64

_FOUR = r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"
_IPV4 = re.compile(rf"{_FOUR}(?!\d|\.\d)", re.ASCII)
_IPV6 = re.compile(
    r"(?<![0-9A-Fa-f:])(?:(?:[0-9A-Fa-f]{1,4}:){6}|(?:[0-9A-Fa-f]{0,4}:){1,7}:)"
    rf"(?:(?:[0-9A-Fa-f:]{{0,39}}:)?{_FOUR}|[0-9A-Fa-f:]{{0,39}})",
    re.ASCII,
)
_SOME_IPV6 = compile_regex("(?:[0-9A-Fa-f]{1,4}:){6}|::")
"""A quick test by RE2 whether there may be any address: most lines have many digits, but few have these."""

_PASSWORD = re.compile(r"://[^\s/:@]{0,256}:([^\s/\"<>]{1,512})@")

_QUOTE = r"\\?[\"']?"
_DONE = r"(?!\[bearer\])"
_IS = rf"{_QUOTE}[ \t]{{0,4}}(?:[:=]|=>)[ \t]{{0,4}}{_DONE}[\[(]?{_QUOTE}"
_SCHEME = r"(?:basic|bearer|negotiate|ntlm|token|api-?key|dpop)[ \t]{1,4}"
_LONG_SCHEME = r"(?:digest|aws4-hmac-sha256|oauth|hawk|signature)[ \t]{1,4}"
_CREDENTIALS = re.compile(
    rf"authorization{_IS}(?:{_LONG_SCHEME}{_DONE}([^\n]+)|{_SCHEME}{_DONE}([^\s\"',;\\\])]+)"
    rf"|(?!(?:{_SCHEME}|{_LONG_SCHEME})\[bearer\])([^\"',;\\\[\])\s][^\"',;\\\])\n]*))"
    rf"|bearer(?:[ \t]{{1,4}}{_QUOTE}|(?:[ \t_-]token)?{_IS})([\w.~+/=-]+)",
    re.IGNORECASE | re.ASCII,
)
"""The value of an `Authorization` header, without a scheme that is known, and the token after `bearer`."""
_AFTER_BEARER = frozenset(
    (
        *(
            "and",
            "auth",
            "authentication",
            "authorization",
            "for",
            "from",
            "header",
            "in",
            "is",
            "no",
            "not",
            "of",
            "or",
        ),
        *("scheme", "to", "token", "tokens", "was", "with"),
    )
)
_CHALLENGE = frozenset(("realm", "scope", "error"))


def cards(text: str) -> Iterator[Span]:
    """Yield numbers of 13 to 19 digits that pass the Luhn check, in one piece or in groups of which the first has four.

    Numbers that begin with 0 or 1 are left out, because they are times in milliseconds and the like. A group of fewer
    than three digits can only be the last one, because runs of such groups are dates.
    """
    if _SOME_DIGITS.search(text) is None:
        return
    for run in _DIGITS.finditer(text):
        groups = [found.span() for found in _GROUP.finditer(text, *run.span())]
        number = 0
        while number < len(groups):
            taken = _card(text, groups, number)
            if taken:
                yield groups[number][0], groups[number + taken - 1][1]
            number += taken or 1


def _card(text: str, groups: list[Span], first: int) -> int:
    """Return how many groups, from `first` on, make a card number: as many as possible, or 0 if there is none."""
    begin, end = groups[first]
    length = end - begin
    if text[begin] in "01" or (length != 4 and length < _SHORTEST) or _is_fraction(text, begin):
        return 0
    digits, found = "", 0
    for count, (begin, end) in enumerate(groups[first : first + _LONGEST], 1):
        digits += text[begin:end]
        if len(digits) > _LONGEST:
            break
        if len(digits) >= _SHORTEST and _is_luhn(digits):
            found = count
        if end - begin < 3:
            break
    return found


def _is_fraction(text: str, begin: int) -> bool:
    return begin > 1 and text[begin - 1] == "." and text[begin - 2].isdigit()


def _is_luhn(digits: str) -> bool:
    numbers = list(map(int, reversed(digits)))
    return not (sum(numbers[::2]) + sum(_DOUBLED[number] for number in numbers[1::2])) % 10


def emails(text: str) -> Iterator[Span]:
    """Yield e-mail addresses in any script."""
    done, at = 0, text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1)
        local = _LOCAL.search(text, max(done, at - _LONGEST_LOCAL), at) if domain else None
        if domain and local:
            yield local.start(), domain.end()
            done = domain.end()
        at = text.find("@", at + 1)


def ips(text: str) -> Iterator[Span]:
    """Yield IPv4 and IPv6 addresses, except within longer rows of numbers, such as versions."""
    spans = [found.span() for found in _IPV4.finditer(text) if _is_ipv4(text, *found.span())]
    if _SOME_IPV6.search(text) is not None:
        longer = [span for found in _IPV6.finditer(text) if (span := _ipv6(text, *found.span()))]
        inside = {begin for begin, end in spans for outer in longer if outer[0] <= begin < outer[1]} if longer else ()
        spans = sorted([*longer, *(span for span in spans if span[0] not in inside)])
    yield from spans


def _is_ipv4(text: str, begin: int, end: int) -> bool:
    before = text[max(0, begin - 2) : begin]
    is_part = before[-1:].isdigit() or (before[-1:] == "." and before[:1].isdigit())
    return not is_part and all(int(octet) < 256 for octet in text[begin:end].split("."))


def _ipv6(text: str, begin: int, end: int) -> Span | None:
    """Return the span of the address in a run of its characters; None if the run is not an address."""
    content = text[begin:end]
    if content.endswith(":") and not content.endswith("::"):
        content = content[:-1]
    end = begin + len(content)
    if content.count(":") < 2 or not content.strip(":") or _is_in_a_word(text, begin, end):
        return None
    try:
        socket.inet_pton(socket.AF_INET6, content)
    except OSError:
        return None
    return begin, end


def _is_in_a_word(text: str, begin: int, end: int) -> bool:
    """Report whether a word touches the address before it or, unless the address ends in an IPv4 address, after it."""
    return text[begin - 1 : begin].isalnum() or ("." not in text[begin:end] and text[end : end + 1].isalnum())


def passwords(text: str) -> Iterator[Span]:
    """Yield passwords in URLs: `scheme://user:PASSWORD@host`."""
    return (found.span(1) for found in _PASSWORD.finditer(text))


def credentials(text: str) -> Iterator[Span]:
    """Yield the values of `Authorization:`, without the scheme, and bearer tokens anywhere."""
    lowered = text.lower()
    if "authorization" not in lowered and "bearer" not in lowered:
        return
    for found in _CREDENTIALS.finditer(text):
        number = found.lastindex or 0
        if number != 4 or not _is_text_or_challenge(found[4].lower()):
            yield found.span(number)


def _is_text_or_challenge(word: str) -> bool:
    """Report whether the word after `bearer` is ordinary text or begins a challenge, such as `Bearer realm="..."`."""
    name, is_parameter, _ = word.partition("=")
    return name in _CHALLENGE if is_parameter else word.rstrip(".") in _AFTER_BEARER


PRESETS: dict[str, tuple[Finder, str]] = {
    "url_password": (passwords, "***"),
    "bearer": (credentials, "[bearer]"),
    "card": (cards, "[card]"),
    "email": (emails, "[email]"),
    "ip": (ips, "[ip]"),
}
"""The presets by name, in the order in which they are applied: each a finder, and the text that replaces its finds."""
