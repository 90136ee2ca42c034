"""Certificate files -> what a server speaks TLS with: 1.2 or later.

In come paths of PEM files, out goes a context; or ValueError naming the file, with a remedy behind a newline.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from logrouter.config.files import read_small

_CERTIFICATE, _KEY = "-----BEGIN CERTIFICATE-----", "PRIVATE KEY-----"


def server_context(certificate: str, key: str, client_ca: str) -> ssl.SSLContext:
    """Of a server; with `client_ca`, clients must show a certificate that one in it has signed.

    key: '' where it is in the certificate's file.
    """
    _check_certificates(certificate, "name a PEM file with the server's certificate and those that vouch for it")
    _check_key(key or certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certificate, key or None)
    except ssl.SSLError as error:
        remedy = f"give the key that {certificate} was made with; `openssl x509` and `openssl pkey` show both"
        raise ValueError(f"{certificate} and {key or certificate} do not go together\n{remedy}") from error
    if client_ca:
        _check_certificates(client_ca, "name a PEM file with the certificates that sign those of clients")
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _check_certificates(path: str, remedy: str) -> None:
    if _CERTIFICATE not in _text(path, remedy):
        raise ValueError(f"{path} holds no certificate\n{remedy}")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except ssl.SSLError as error:
        raise ValueError(f"{path} holds no certificate that can be read\n{remedy}") from error


def _check_key(path: str) -> None:
    remedy = "name a PEM file with the key of the certificate as `key`"
    text = _text(path, remedy)
    if _KEY not in text:
        raise ValueError(f"{path} holds no private key\n{remedy}")
    if "ENCRYPTED" in text:
        raise ValueError(f"{path} is protected by a passphrase\nwrite it without: openssl pkey -in {path} -out FILE")


def _text(path: str, remedy: str) -> str:
    try:
        return read_small(Path(path)).decode(errors="replace")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}\n{remedy}, which this user may read") from error
