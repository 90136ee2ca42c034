"""What must not leave a host is made unreadable, whatever stands around it; and nothing else is."""

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.observability.metrics import REDACTED, by_label
from shippers.redact.redaction import Own, Redaction
from shippers.redact.sensitive import PRESETS

ALL = Redaction(tuple(PRESETS))

CHANGED = [
    ("card", "paid 4111 1111 1111 1111 now", "paid [card] now"),
    ("card", "card=4111-1111-1111-1111", "card=[card]"),
    ("card", "378282246310005,3782 822463 10005", "[card],[card]"),
    ("card", "30569309025904 4222222222222 6304000000000000", "[card] [card] [card]"),
    ("card", "12 4111 1111 1111 1111 05/27", "12 [card] 05/27"),
    ("card", "5234 4111 1111 1111 1111 123", "5234 [card] 123"),
    ("card", '{"n":4111111111111111.}', '{"n":[card].}'),
    ("email", "from=<joe.x+y@mail.example.org>, to=Jürgen@müller.de.", "from=<[email]>, to=[email]."),
    ("email", "a@b.co@c.org", "[email]@c.org"),
    ("ip", "from 10.0.0.1:22, (192.168.255.1) and 8.8.8.8.", "from [ip]:22, ([ip]) and [ip]."),
    ("ip", "[::1]:25 fe80::1%eth0 2001:db8:0:0:0:0:0:1 ::ffff:10.0.0.1", "[[ip]]:25 [ip]%eth0 [ip] [ip]"),
    ("bearer", "Authorization: Bearer abc.def-ghi= x", "Authorization: Bearer [bearer] x"),
    ("bearer", '{"authorization":"Basic dXNlcjpw","x":1}', '{"authorization":"Basic [bearer]","x":1}'),
    ("bearer", 'AUTHORIZATION: Digest username="x", response="y"', "AUTHORIZATION: Digest [bearer]"),
    ("bearer", "authorization=hunter2 and more, x", "authorization=[bearer], x"),
    ("bearer", r"{\"Proxy-Authorization\": \"Bearer abc\"}", r"{\"Proxy-Authorization\": \"Bearer [bearer]\"}"),
    ("bearer", "bearer_token=xyz&x=1", "bearer_token=[bearer]&x=1"),
    ("url_password", "amqp://u:p@h1,amqp://u:p@x@h2/v", "amqp://u:***@h1,amqp://u:***@h2/v"),
    ("url_password", "redis://:s3cret@cache:6379/0", "redis://:***@cache:6379/0"),
]

KEPT = [
    ("card", "4111 1111 1111 1112"),
    ("card", "1795352400000 0.4111111111111111 41111111111111111111 2026-11-22-13-00-02"),
    ("email", "user@host joe@ @x.org a@b.1 @@@"),
    ("ip", "1.2.3.4.5 256.1.1.1 13:00:00 aa:bb:cc:dd:ee:ff std::string 1.2.3 ::"),
    ("bearer", "the bearer token expired; bearer of news; Bearer realm=x"),
    ("url_password", "http://host:8080/@scope/x mail a:b@c.org"),
]


@pytest.mark.parametrize(("kind", "text", "clean"), CHANGED)
def test_a_preset_finds(kind: str, text: str, clean: str) -> None:
    assert Redaction((kind,)).text(text) == clean


@pytest.mark.parametrize(("kind", "text"), KEPT)
def test_a_preset_leaves_alone(kind: str, text: str) -> None:
    assert Redaction((kind,)).text(text) is text


@pytest.mark.parametrize(
    ("pattern", "text", "clean"),
    [
        (r"session=(\w+)", "a session=abc; session=d", "a session=#; session=#"),
        (r"tk-\d+", "tk-1tk-22", "##"),
        (r"^a", "aa", "#a"),
        (r"\bx*", "y xx", "y #"),
    ],
)
def test_a_pattern_of_ones_own_replaces_its_first_group_or_all(pattern: str, text: str, clean: str) -> None:
    redaction = Redaction((Own(pattern, "#"),))
    assert redaction.text(text) == clean
    assert redaction.texts(["before", text]) == {1: clean}


@pytest.mark.parametrize("pattern", [r"\Ab", r"^b$", r"b\z", r"(?-m)^b", r"b"])
def test_a_pattern_means_the_same_in_many_texts_as_in_one(pattern: str) -> None:
    assert Redaction((Own(pattern, "#"),)).texts(["a", "b", "c"]) == {1: "#"}


def test_a_pattern_may_take_away_a_newline() -> None:
    assert Redaction((Own("a\nb", "#"), "email")).texts(["a\nb", "x", "c@d.org\ny"]) == {0: "#", 2: "[email]\ny"}


def test_where_a_pattern_finds_too_much_in_a_long_text_all_behind_it_goes() -> None:
    text = "a" * (1 << 20)  # each find looks to the end for a b
    clean = Redaction((Own("a(?:.*b)?", "#"),)).text(text)
    assert clean == "#" * 1001


def test_hostile_texts_are_done_with() -> None:
    """Each is 1 MiB: what is not linear does not come to an end within the test's time."""
    pieces = ("@", "a@", "a.", "4444 ", "1 ", "a", "://", "://a:", "::", "a:", "bearer ", "authorization:", "1.", "9")
    for piece in pieces:
        ALL.text(piece * ((1 << 20) // len(piece)))


def test_finds_are_counted_by_kind_once() -> None:
    before = by_label(REDACTED)
    Redaction(("card", "ip", Own("x"))).texts(["10.0.0.1 10.0.0.2", "4111111111111111 x", "nothing"])
    after = by_label(REDACTED)
    assert {kind: after[kind] - before.get(kind, 0) for kind in ("card", "ip", "pattern")} == {
        "card": 1,
        "ip": 2,
        "pattern": 1,
    }


@given(st.integers(13, 19), st.data())
def test_a_number_is_a_card_if_and_only_if_its_last_digit_is_right(length: int, data: st.DataObject) -> None:
    digits = data.draw(st.text("0123456789", min_size=length - 2, max_size=length - 2))
    digits = data.draw(st.sampled_from("23456789")) + digits
    right = next(last for last in "0123456789" if luhn(digits + last))
    last = data.draw(st.sampled_from("0123456789"))
    separator = data.draw(st.sampled_from(["", " ", "-"]))
    number = digits + last
    if separator:
        number = separator.join(number[at : at + 4] for at in range(0, 16, 4)) + number[16:]
    is_hidden = Redaction(("card",)).text(f"x {number}") == "x [card]"
    assert is_hidden == (last == right)


def luhn(number: str) -> bool:
    """As its definition says, digit by digit."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * 2 if place % 2 else int(digit)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


@given(
    st.ip_addresses(), st.sampled_from([" ", "=", "[", "<", '"', "("]), st.sampled_from(["", " ", "]", ">", ",", ";"])
)
def test_every_address_is_found(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, before: str, behind: str
) -> None:
    texts = {str(address), address.exploded}
    for text in texts - {"::"}:
        assert Redaction(("ip",)).text(f"x{before}{text}{behind}") == f"x{before}[ip]{behind}"


noise = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(
                    "4111",
                    " ",
                    "-",
                    "1111",
                    "@",
                    "a.co",
                    "://",
                    ":",
                    "::",
                    "1.2.3.4",
                    "Authorization",
                    "bearer",
                    "\\",
                    '"',
                ),
                *("Basic ", "[bearer]", "***", "[card]", "[", "]", "\n", "=", "é", "x" * 70, "12", "3", ".", "/"),
            ]
        ),
        st.text(max_size=4),
    ),
    max_size=24,
).map("".join)


@given(noise)
def test_redaction_never_fails_and_the_second_time_finds_nothing(text: str) -> None:
    once = ALL.text(text)
    assert ALL.text(once) == once
    assert re.sub(r"\[(card|email|ip|bearer)\]|\*\*\*", "", once).count("\n") == text.count("\n")


@given(st.lists(noise, max_size=6))
def test_many_texts_are_redacted_as_each_is(texts: list[str]) -> None:
    each = {index: ALL.text(text) for index, text in enumerate(texts)}
    assert ALL.texts(texts) == {index: text for index, text in each.items() if text != texts[index]}
