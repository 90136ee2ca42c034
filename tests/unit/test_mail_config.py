"""What a rules file says of mail: every mistake has its place, and no password is ever shown."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.config.email import EmailModel, MailServer, Security, parse_server
from logrouter.config.mistakes import ConfigError
from logrouter.config.rules import RuleConfig, load_rules
from logrouter.destinations import registry as building
from logrouter.destinations.email.transport import greeting
from logrouter.errors import UserError

SECRET = "s3cret"


def load(directory: Path, entry: str, name: str = "mail") -> RuleConfig:
    """Rules with one destination; the entry of `mail` stands from column 9 of line 3 on."""
    (directory / "rules.yaml").write_text(f"\ndestinations:\n  {name}: {entry}\nrules: [{{name: a, to: {name}}}]\n")
    return load_rules([directory])


def email(entry: str) -> str:
    return f"{{type: email, to: a@b, server: 'smtp+starttls://h', {entry}}}"


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("smtp://localhost", MailServer(Security.OFFERED, "localhost", 25)),
        ("smtp://localhost:2525/", MailServer(Security.OFFERED, "localhost", 2525)),
        ("SMTPS://Mail.Example.org", MailServer(Security.TLS, "mail.example.org", 465)),
        ("smtp+starttls://me%40x:@h", MailServer(Security.STARTTLS, "h", 587, "me@x")),
        ("smtp+starttls://me@x.org@h:25", MailServer(Security.STARTTLS, "h", 25, "me@x.org")),
        ("smtp://[::1]:25", MailServer(Security.OFFERED, "::1", 25)),
        ("file:", MailServer(Security.FILE)),
        ("file:///var/mail%20box", MailServer(Security.FILE, directory="/var/mail box")),
    ],
)
def test_servers(text: str, server: MailServer) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize(
    "text",
    [
        "", "localhost", "localhost:25", "http://h", "smtp://", "smtp:h", "smtp:h:25", "smtp://h:x", "smtp://h:99999",
        "smtp://a,b", "smtp://a b", "smtp://h/path", "smtp://[::1", "smtp://[x]", "file:x", "file://x/y", "smtp://h?x=y",
        "smtp://h#x", None, 25,
    ],
)  # fmt: skip
def test_what_is_no_server(text: object) -> None:
    with pytest.raises(ValueError, match=r"\nwrite smtp://HOST:25, smtp\+starttls://HOST:587"):
        parse_server(text)


@given(
    scheme=st.sampled_from(["smtp://", "smtps://", "smtp+starttls://", "http://", "smtp:", "mailto:", "", "file://"]),
    before=st.text("/#?@:[]%1a", max_size=4),
    after=st.text("/#?@:[]%1a", max_size=4),
    host=st.sampled_from(["h", "h:25", "[::1]:25", ""]),
)
def test_a_password_in_an_address_is_refused_and_not_shown(scheme: str, before: str, after: str, host: str) -> None:
    with pytest.raises(ValueError, match=r".\n.") as caught:
        parse_server(f"{scheme}user:{before}{SECRET}{after}@{host}")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "at", "says"),
    [
        ("{type: email, to: a@b, server: 'smtp://me:s3cret@h'}", "'smtp:", "the address contains a password"),
        ("{type: email, to: a@b, server: 'smtp://me:12/s3cret@h'}", "'smtp:", "must name exactly one host"),
        ("{type: email, to: a@b, server: 'smtp://me:[s3cret]@h'}", "'smtp:", "is not the address of a mail server"),
        ("{type: email, to: a@b, server: smtp}", "smtp}", "'smtp' is not the address of a mail server"),
        ("{type: email, to: a@b}", "{", "`server` is missing"),
        ("{type: email, server: 'file:'}", "{", "`to` is missing"),
        ("{type: email, to: [], server: 'file:'}", "[]", "`to` is empty"),
        (email("password: s3cret"), "password", "`password` is not a valid key here"),
        (email("username: me, password_env: A, password_file: /a"), "{", "`password_file` are both set"),
        (email("password_env: A"), "{", "a password is set, but no user name"),
        (email("username: me"), "{", "a user name is set, but no password"),
        (email("ca_file: ca.pem"), "ca.pem", "'ca.pem' is not an absolute path"),
        (email("templates: mails"), "mails", "'mails' is not an absolute path"),
        (email("username: me, password_file: p"), "p}", "'p' is not an absolute path"),
        (email("from: nobody"), "nobody", "'nobody' is not a mail address"),
        (email("max_per_hour: 0"), "0}", "greater than or equal to 1"),
        (email("group_wait: soon"), "soon", "'soon' is not a duration"),
        (email("timeout: 0s"), "0s", "greater than 0"),
    ],
)
def test_each_mistake_has_its_place(tmp_path: Path, entry: str, at: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, entry)
    (mistake,) = caught.value.mistakes
    assert says in mistake.problem
    assert (mistake.place.line, mistake.place.column) == (3, 9 + entry.index(at))
    assert "rules.yaml:3:" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "", "a", "a@", "@b", "a@b@c", "a b@c", "a@b c", "<a@b>", "A <a@b>", "a@b,c@d", "a@b.", "a@.b", ".a@b", "a(x)@b",
        "ä@b", "a@b\r\nBcc: c@d", "a@b\x00", "a@\u202eb", "=?utf-8?q?x?=@b", "x=?y@b", "a" * 253 + "@b",
    ],
)  # fmt: skip
def test_what_is_no_address(address: str) -> None:
    for fields in ({"to": address}, {"to": ["a@b", address]}, {"to": "a@b", "from": address or "x"}):
        with pytest.raises(ValueError, match="is not a mail address"):
            EmailModel.model_validate({"type": "email", "server": "file:", **fields})


def test_addresses_are_kept_in_order_and_each_once() -> None:
    given = ["b@x", "a@[127.0.0.1]", "b@x", '"a b"@x']
    model = EmailModel.model_validate({"type": "email", "server": "file:", "to": given})
    assert model.to == ["b@x", "a@[127.0.0.1]", '"a b"@x']
    assert re.fullmatch(r"logrouter@.+", model.sender)


@pytest.mark.parametrize("name", ["h\udcff", "=?utf-8?q?x?=", "a b", "", "h\n.", "a..b", "日本"])
def test_a_machine_whose_name_is_no_domain_sends_from_localhost(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    model = EmailModel.model_validate({"type": "email", "server": "file:", "to": "a@b"})
    assert model.sender == "logrouter@localhost"
    assert greeting() == "[127.0.0.1]"


@pytest.mark.parametrize("name", ["dead", "retry", "ready", "a.b", "1", "ä", "a b", "'#'", "x" * 65])
def test_names_that_would_not_do_for_queues(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"rules\.yaml:3:3: .*cannot be the name of a destination"):
        load(tmp_path, "{type: email, to: a@b, server: 'file:'}", name)


def test_a_password_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    monkeypatch.setenv("MAIL_PASSWORD", SECRET)
    for entry in (f"password_file: {tmp_path}/password", "password_env: MAIL_PASSWORD"):
        config = load(tmp_path, email(f"username: me, {entry}"))
        built = building.build_notifying(config, "main", tmp_path)
        assert [destination.name for destination in built] == ["mail"]
        assert SECRET not in repr(built)
        assert SECRET not in repr(config)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("username: me, password_file: {}/absent", "cannot read {}/absent: No such file"),
        ("username: me, password_file: {}", "cannot read {}: Is a directory"),
        ("username: me, password_file: {}/binary", "{}/binary is not UTF-8 text"),
        ("username: me, password_env: ABSENT_HERE", "ABSENT_HERE is not set"),
        ("ca_file: {}/absent", "cannot read {}/absent: No such file"),
        ("ca_file: {}/binary", "cannot read {}/binary: "),
    ],
)
def test_what_a_destination_needs_and_is_not_there(tmp_path: Path, entry: str, says: str) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    config = load(tmp_path, email(entry.format(tmp_path)))
    with pytest.raises(UserError) as caught:
        building.build_notifying(config, "main", tmp_path)
    assert says.format(tmp_path) in str(caught.value)
    assert "destination `mail`" in str(caught.value)
    assert caught.value.remedy


def test_templates_are_tried_when_rules_are_checked(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/text.txt").write_text("fine\n{{ mail.totl }}")
    (mistake,) = building.mistakes(load(tmp_path, email(f"templates: {tmp_path}/own")))
    assert "destination `mail`" in mistake.problem
    assert "totl" in mistake.problem
    assert (mistake.place.line, mistake.place.column) == (3, 3)
    (tmp_path / "own/text.txt").write_text("{{ mail.total }}")
    assert not list(building.mistakes(load(tmp_path, email(f"templates: {tmp_path}/own"))))
