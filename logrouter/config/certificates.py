"""Create the TLS context of a server from PEM files: TLS 1.2 or later.

Any problem with a file is a ValueError that names the file, with a remedy after a newline.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from logrouter.config.files import read_small

_CERTIFICATE, _KEY = "-----BEGIN CERTIFICATE-----", "PRIVATE KEY-----"


def server_context(certificate: str, key: str, client_ca: str) -> ssl.SSLContext:
    """Return the context of a server. Raises ValueError.

    certificate, key, client_ca: paths.   key: '' if the certificate's file contains it.   client_ca: the certificates
    that sign those of clients; '' if clients need none.
    """
    _check_certificates(certificate, "name a PEM file that contains the server's certificate and its chain")
    _check_key(key or certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certificate, key or None)
    except ssl.SSLError as error:
        path = key or certificate
        remedy = f"name the private key of {certificate}; `openssl x509` and `openssl pkey` show what a file contains"
        raise ValueError(f"the key in {path} does not belong to the certificate in {certificate}\n{remedy}") from error
    if client_ca:
        _check_certificates(client_ca, "name a PEM file that contains the certificates that sign those of clients")
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _check_certificates(path: str, remedy: str) -> None:
    if _CERTIFICATE not in _text(path, remedy):
        raise ValueError(f"{path} contains no certificate\n{remedy}")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except ssl.SSLError as error:
        raise ValueError(f"{path} contains no valid certificate\n{remedy}") from error


def _check_key(path: str) -> None:
    remedy = "set `key` to a PEM file that contains the private key of the certificate"
    text = _text(path, remedy)
    if _KEY not in text:
        raise ValueError(f"{path} contains no private key\n{remedy}")
    if "ENCRYPTED" in text:
        raise ValueError(f"the key in {path} has a passphrase\nremove it: openssl pkey -in {path} -out FILE")


def _text(path: str, remedy: str) -> str:
    try:
        return read_small(Path(path)).decode(errors="replace")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}\n{remedy}, and that this user may read") from error
