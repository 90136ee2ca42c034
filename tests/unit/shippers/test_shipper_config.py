"""shippers/*.yaml -> inputs, or every mistake with its place."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from mail_server import make_certificate

from logrouter.config.mistakes import ConfigError
from logrouter.config.shippers import Shippers, load_inputs
from logrouter.config.text_settings import RedactModel
from shippers.arguments import from_files
from shippers.input import Syslog
from shippers.services import NO_SERVICES
from shippers.settings import from_models, models_from_arguments, redaction

SHIPPED = Path(__file__).parents[3] / "shippers"

GOOD = """\
services: {mail: [postfix], web: [nginx]}
inputs:
  - {files: [/var/log/syslog]}
  - syslog: {udp: ["127.0.0.1:5514", "[::1]:5514"], tcp: ":601", unix: /run/x.sock, unix_stream: [/run/y.sock]}
    host: r1
    max_line: 2 KiB
"""

BAD = """\
services: {mail: [postfix, nginx], web: [nginx], db: postgres}
inputs:
  - {files: [/var/log/syslog], syslog: {udp: "127.0.0.1:5514"}}
  - {syslog: {udp: localhost}}
  - {syslog: {udp: "127.0.0.1:5514", sctp: "127.0.0.1:5514"}}
  - {syslog: {tcp: "127.0.0.1:70000"}, severity: warn}
  - {syslog: {unix: x.sock}, sevice: x}
  - {syslog: {}}
"""


def test_what_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    files, syslog = from_models(load_inputs([tmp_path], SHIPPED / "20-services.yaml"))
    assert (files.service, files.services.programs) == ("", {"postfix": "mail", "nginx": "web"})
    assert syslog.feed == Syslog(
        (("127.0.0.1", 5514), ("::1", 5514)), (("", 601),), ("/run/x.sock",), ("/run/y.sock",), "r1", 2048
    )
    assert syslog.severity == "notice"


def test_the_shipped_map_stands_in_where_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("files: [/x]")
    (settings,) = from_models(load_inputs([tmp_path / "a.yaml"], SHIPPED / "20-services.yaml"))
    assert settings.services.of("postfix/smtpd") == "mail"


def test_the_shipped_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGROUTER_SOCKET", "/x/log.sock")
    shipped = from_models(load_inputs([SHIPPED]))
    (syslog,) = [settings for settings in shipped if isinstance(settings.feed, Syslog)]
    local = (("127.0.0.1", 5514),)
    assert syslog.feed == Syslog(udp=local, tcp=local, unix_stream=("/x/log.sock",))
    assert {syslog.services.of(app) for app in ("sshd", "sudo", "su(pam_unix)")} == {"auth"}


def test_the_default_socket_is_the_first_that_may_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text("syslog: {unix_stream: default}")
    (tmp_path / "file").touch()  # below it nothing can be made, not by root either
    places = [f"{tmp_path}/{place}/logrouter/log.sock" for place in ("file", "new/run", "state")]
    monkeypatch.setattr("shippers.settings.socket_paths", lambda: places)
    (settings,) = from_models(load_inputs([tmp_path / "a.yaml"]))
    assert settings.feed == Syslog(unix_stream=(places[1],))


def test_every_mistake_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    with pytest.raises(ConfigError) as error:
        load_inputs([path])
    said = str(error.value)
    for mistake in (
        "1:54: this must be a list",
        "3:6: an input cannot have both `files` and `syslog`",
        "4:20: 'localhost' is not an address",
        "5:38: `sctp` is not a valid key here",
        "6:20: '127.0.0.1:70000' is not an address",
        "7:21: 'x.sock' is not an absolute path",
        "7:30: `sevice` is not a valid key here\n    did you mean `service`?",
        "8:14: `syslog` has no address",
    ):
        assert f"{path}:{mistake}" in said
    assert "did you mean `warning`?" in said


def test_a_program_twice_shows_both_places(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("services: {mail: [postfix, nginx]}")
    (tmp_path / "b.yaml").write_text("services: {web: [nginx]}")
    with pytest.raises(ConfigError) as error:
        load_inputs([tmp_path])
    assert (
        f"{tmp_path}/b.yaml:1:18: program `nginx` is listed twice\n"
        f"    remove one of them; the first is at {tmp_path}/a.yaml:1:28"
    ) in str(error.value)


def test_syslog_by_tls(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    paths = f"certificate: {tmp_path}/certificate.pem, key: {tmp_path}/key.pem, client_ca: {tmp_path}/certificate.pem"
    limits = "max_clients: 5, idle_timeout: 10m"
    (tmp_path / "a.yaml").write_text(f'{{syslog: {{tls: ":6514", {paths}}}, {limits}}}')
    (settings,) = from_models(load_inputs([tmp_path / "a.yaml"]))
    assert settings.feed == Syslog(
        tls=(("", 6514),),
        certificate=f"{tmp_path}/certificate.pem",
        key=f"{tmp_path}/key.pem",
        client_ca=f"{tmp_path}/certificate.pem",
        max_clients=5,
        idle_timeout=600,
    )


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("tls: ':6514'", "`tls` needs a certificate\n    add `certificate: /PATH` and `key: /PATH`"),
        ("tcp: ':601', certificate: {0}/certificate.pem", "a certificate is set, but no `tls` address"),
        ("tls: ':6514', certificate: c.pem", "'c.pem' is not an absolute path"),
        ("tls: ':6514', certificate: {0}/none", "cannot read {0}/none: No such file or directory\n    name a PEM"),
        ("tls: ':6514', certificate: {0}/key.pem, key: {0}/key.pem", "{0}/key.pem contains no certificate"),
        ("tls: ':6514', certificate: {0}/certificate.pem", "{0}/certificate.pem contains no private key"),
        (
            "tls: ':6514', certificate: {0}/certificate.pem, key: {0}/other/key.pem",
            "/other/key.pem does not belong to",
        ),
        ("tls: ':6514', certificate: {0}/broken.pem, key: {0}/key.pem", "{0}/broken.pem contains no valid certificate"),
        ("tls: ':6514', certificate: {0}/certificate.pem, key: {0}/locked.pem", "locked.pem has a passphrase"),
        (
            "tls: ':6514', certificate: {0}/certificate.pem, key: {0}/key.pem, client_ca: {0}/broken.pem",
            "{0}/broken.pem contains no valid certificate",
        ),
    ],
)
def test_what_is_wrong_with_a_certificate_is_said_at_the_start(tmp_path: Path, keys: str, said: str) -> None:
    make_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    make_certificate(tmp_path / "other")
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (tmp_path / "broken.pem").write_text(broken)
    locked = ["openssl", "pkey", "-in", tmp_path / "key.pem", "-aes128", "-passout", "pass:x", "-out"]
    subprocess.run([*map(str, locked), tmp_path / "locked.pem"], check=True)
    (tmp_path / "a.yaml").write_text(f"{{syslog: {{{keys.format(tmp_path)}}}}}")
    with pytest.raises(ConfigError) as error:
        load_inputs([tmp_path / "a.yaml"])
    assert said.format(tmp_path) in str(error.value)
    assert f"{tmp_path}/a.yaml:1:" in str(error.value)


def test_files_of_the_command_line_are_what_a_configuration_would_make_of_them() -> None:
    files = [("web", "/var/log/*.log"), ("old", "logs/*.gz")]
    redact = [RedactModel(preset="card"), RedactModel(pattern="pin=(.*)")]
    for models in ([], redact):
        configured = from_models(Shippers([*models_from_arguments(files, models)]))
        assert [replace(each, services=NO_SERVICES) for each in configured] == from_files(files, redaction(models))
