"""TLS and bearer tokens of a running gateway, both renewed without a restart."""

import asyncio
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.tools import tool
from tidegate_web.server import tls
from tidegate_web.server.tls import Certificate

GATEWAY = Path(sys.executable).with_name("tidegate-web")

PATIENCE_S = 25
"""Certificates are looked at every 10 s."""

BODY = b'{"instances": [[1, 1]]}'


@pytest.fixture(scope="session")
def openssl() -> str:
    return tool("openssl")


def make_certificate(openssl: str, folder: Path, serial: int, *options: str) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    folder.mkdir()
    certificate, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2",
            "-subj", "/CN=tidegate", "-addext", "subjectAltName=IP:127.0.0.1", "-set_serial", str(serial),
            "-keyout", key, "-out", certificate, *(options or ("-nodes",)),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


@dataclass
class Secured:
    """A gateway with TLS and tokens, and the files that it reads."""

    gateway: Any
    certificate: Path
    key: Path
    tokens: Path

    def serial(self) -> int:
        """The serial number of the certificate that a new connection is shown."""
        context = ssl.create_default_context(cafile=self.certificate)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.gateway.http_port), timeout=10)
        with plain, context.wrap_socket(plain) as connection:
            shown = ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True) or b"")
        done = subprocess.run(
            ["openssl", "x509", "-noout", "-serial"], input=shown, text=True, check=True, capture_output=True
        )
        return int(done.stdout.partition("=")[2], 16)

    def predict(self, token: str) -> int:
        """The status of a prediction over a verified connection."""
        context = ssl.create_default_context(cafile=self.certificate)
        connection = http.client.HTTPSConnection("127.0.0.1", self.gateway.http_port, timeout=20, context=context)
        try:
            headers = {"Authorization": f"Bearer {token}"}
            connection.request("POST", "/v1/models/and_gate:predict", BODY, headers)
            return connection.getresponse().status
        finally:
            connection.close()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def secured(openssl: str, model_server: Any, start_gateway_process: Any, tmp_path_factory: Any) -> Secured:
    folder = tmp_path_factory.mktemp("secured")
    certificate, key = make_certificate(openssl, folder / "tls", 1)
    tokens = folder / "tokens"
    tokens.write_text("first\n")
    gateway = start_gateway_process(
        TIDEGATE_BACKENDS=f"static:{model_server.address}",
        TIDEGATE_TOKENS_FILE=str(tokens),
        TIDEGATE_TLS_CERT_FILE=str(certificate),
        TIDEGATE_TLS_KEY_FILE=str(key),
    )
    return Secured(gateway, certificate, key, tokens)


def test_both_are_renewed_while_it_runs(secured, openssl, tmp_path):
    assert (secured.predict("first"), secured.predict("second")) == (200, 401)
    assert secured.serial() == 1
    certificate, key = make_certificate(openssl, tmp_path / "renewed", 2)
    secured.tokens.write_text("second\n")
    # Half a renewal, which a look in between must not serve
    shutil.copy(key, secured.key)
    wait_until(lambda: secured.predict("second") == 200)
    assert secured.predict("first") == 401
    shutil.copy(certificate, secured.certificate)
    wait_until(lambda: secured.serial() == 2)
    assert secured.predict("second") == 200
    assert "first" not in secured.gateway.log.read_text()


def test_with_tls_alone_a_connection_may_go_from_the_fast_way_in_to_the_plain_one(
    openssl, model_server, start_gateway_process, tmp_path
):
    certificate, key = make_certificate(openssl, tmp_path / "tls", 1)
    gateway = start_gateway_process(
        TIDEGATE_BACKENDS=f"static:{model_server.address}",
        TIDEGATE_TLS_CERT_FILE=str(certificate),
        TIDEGATE_TLS_KEY_FILE=str(key),
    )
    connection = http.client.HTTPSConnection(
        "127.0.0.1", gateway.http_port, timeout=20, context=ssl.create_default_context(cafile=certificate)
    )
    for method, path, body in (
        ("POST", "/v1/models/and_gate:predict", BODY),
        ("GET", "/home", None),
        ("GET", "/v1/models/and_gate", None),
        ("POST", "/v1/models/and_gate:predict", BODY),
    ):
        connection.request(method, path, body)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    connection.close()


def test_the_ops_port_stays_plain_and_open(secured):
    for path in ("/readyz", "/status", "/metrics"):
        with urllib.request.urlopen(f"http://127.0.0.1:{secured.gateway.ops_port}{path}", timeout=10) as answer:
            assert answer.status == 200


def test_who_speaks_no_tls_or_an_old_one_gets_nothing_and_leaves_no_line(secured):
    before = len(secured.gateway.messages())
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", secured.gateway.http_port), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"HTTP/1.1 200" not in client.recv(1000)
    done = subprocess.run(
        ["openssl", "s_client", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-connect", secured.gateway.address],
        check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=20,
    )  # fmt: skip
    assert done.returncode != 0
    assert len(secured.gateway.messages()) - before <= 1


@pytest.fixture
def certificates(openssl: str, tmp_path: Path) -> dict[str, str]:
    """Paths of a good pair, another one's key, and a key with a password."""
    certificate, key = make_certificate(openssl, tmp_path / "good", 1)
    _, another = make_certificate(openssl, tmp_path / "another", 2)
    locked_certificate, locked = make_certificate(openssl, tmp_path / "locked", 3, "-passout", "pass:secret")
    return {
        "good": str(certificate),
        "key": str(key),
        "another": str(another),
        "locked_certificate": str(locked_certificate),
        "locked": str(locked),
        "missing": str(tmp_path / "missing"),
        "": "",
    }


@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        ("good", "", "TIDEGATE_TLS_KEY_FILE: expected a file, as TIDEGATE_TLS_CERT_FILE is given"),
        ("", "key", "TIDEGATE_TLS_CERT_FILE: expected a file, as TIDEGATE_TLS_KEY_FILE is given"),
        ("good", "missing", "No such file or directory"),
        ("good", "another", "key values mismatch"),
        ("key", "good", "TIDEGATE_TLS_KEY_FILE: expected a PEM certificate chain and its key, came "),
        ("locked_certificate", "locked", "TIDEGATE_TLS_KEY_FILE: expected a key without a password"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used_stop_the_start(certificates, certificate, key, said):
    environment = os.environ | {
        "TIDEGATE_TLS_CERT_FILE": certificates[certificate],
        "TIDEGATE_TLS_KEY_FILE": certificates[key],
    }
    done = subprocess.run(
        [GATEWAY], env=environment, capture_output=True, text=True, check=False, timeout=30,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


async def test_files_that_stay_unusable_are_told_of_once(certificates, monkeypatch, caplog):
    monkeypatch.setattr(tls, "LOOK_S", 0.01)
    looks = 0

    class Watched(Certificate):
        def _fits(self) -> bool:
            nonlocal looks
            looks += 1
            return super()._fits()

    async def look(times: int) -> None:
        until = looks + times
        async with asyncio.timeout(10):
            while looks < until:
                await asyncio.sleep(0.01)

    key = Path(certificates["key"])
    following = asyncio.create_task(Watched(Path(certificates["good"]), key).follow())
    for spoil in (lambda: Path(certificates["another"]).replace(key), key.unlink):
        spoil()
        await look(5)
    following.cancel()
    complaints = [record for record in caplog.records if record.message.startswith("certificate not read")]
    assert len(complaints) == 2
