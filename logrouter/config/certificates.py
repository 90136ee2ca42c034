"""Certificate files -> what a server speaks TLS with: 1.2 or later.

In come paths to PEM files, out goes a context; or ValueError naming the file, with a remedy behind a newline.
"""

from __future__ import annotations

import ssl
from pathlib import Path

_CERTIFICATE, _KEY = "-----BEGIN CERTIFICATE-----", "PRIVATE KEY-----"


def server_context(certificate: str, key: str, client_ca: str) -> ssl.SSLContext:
    """Of a server; with `client_ca`, clients must show a certificate that one in it has signed.

    key: '' where it is in the certificate's file.
    """
    _check(certificate, _CERTIFICATE, "certificate", "name a PEM file with the server's certificate and its chain")
    _check(key or certificate, _KEY, "private key", "name a PEM file with the key of the certificate as `key`")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certificate, key or None, password=_no_password)
    except ssl.SSLError as error:
        both = f"{certificate} and {key}" if key else certificate
        reason = error.reason or "it is damaged"
        raise ValueError(
            f"{both}: no certificate with its key ({reason})\ncheck both with `openssl x509` and `openssl pkey`"
        ) from error
    if client_ca:
        _check(client_ca, _CERTIFICATE, "certificate", "name a PEM file with the certificates that sign clients'")
        try:
            context.load_verify_locations(client_ca)
        except ssl.SSLError as error:
            reason = error.reason or "it is damaged"
            raise ValueError(f"{client_ca}: no certificates ({reason})\ncheck it with `openssl x509`") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _check(path: str, holds: str, what: str, remedy: str) -> None:
    try:
        text = Path(path).read_bytes().decode(errors="replace")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}\n{remedy}, which this user may read") from error
    if holds not in text:
        raise ValueError(f"{path} holds no {what}\n{remedy}")
    if holds == _KEY and "ENCRYPTED" in text:
        raise ValueError(f"{path} is protected by a passphrase\nwrite it without: `openssl pkey -in {path} -out ...`")


def _no_password() -> str:
    raise ValueError("the key is protected by a passphrase\nwrite it without, by `openssl pkey`")
