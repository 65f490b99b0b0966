"""TLS of the HTTP port, with certificates that are renewed while it is open."""

import asyncio
import logging
import ssl
from hashlib import sha256
from pathlib import Path

from tidegate_web.settings import Settings, SettingsError

log = logging.getLogger(__name__)

LOOK_S = 10.0
"""How often the files are looked at."""


class EncryptedKeyError(Exception):
    """The key asks for a password, and nobody is there to type it."""


class Certificate:
    """A certificate chain and its key, and the context that serves them: new connections get what was read last.

    Args:
        cert_file: PEM, the server's own certificate first.
        key_file: PEM, without a password.

    Raises:
        SettingsError: They cannot be used, at start. Later the last good ones stand, and the log says why.
    """

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        self._cert_file = cert_file
        self._key_file = key_file
        self.context = _context()
        self._seen = b""
        try:
            self._load()
        except OSError as error:
            raise SettingsError(
                "TIDEGATE_TLS_CERT_FILE and TIDEGATE_TLS_KEY_FILE: expected a PEM certificate chain and its key, "
                f"came {cert_file} and {key_file}: {_why(error)}"
            ) from None
        except EncryptedKeyError:
            raise SettingsError(
                f"TIDEGATE_TLS_KEY_FILE: expected a key without a password, came an encrypted one: {key_file}"
            ) from None

    @classmethod
    def of(cls, settings: Settings) -> "Certificate | None":
        """Return the settings' certificate; None where they ask for no TLS.

        Raises:
            SettingsError: One of the two files is missing, or they cannot be used.
        """
        if not settings.tls_cert_file and not settings.tls_key_file:
            return None
        if not settings.tls_cert_file or not settings.tls_key_file:
            given, wanted = ("CERT", "KEY") if settings.tls_cert_file else ("KEY", "CERT")
            raise SettingsError(f"TIDEGATE_TLS_{wanted}_FILE: expected a file, as TIDEGATE_TLS_{given}_FILE is given")
        return cls(Path(settings.tls_cert_file), Path(settings.tls_key_file))

    async def follow(self) -> None:
        """Load the files again whenever they change, until cancelled; what is wrong with them is told once."""
        told = ""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                if await asyncio.to_thread(self._fits):
                    self._load()  # here: OpenSSL lets no handshake see a context that another thread changes
                    log.info("certificate read", extra={"file": str(self._cert_file)})
                told = ""
            except (OSError, EncryptedKeyError) as error:
                if repr(error) != told:
                    told = repr(error)
                    log.warning("certificate not read: the last good one stands", extra={"error": told})

    def _fits(self) -> bool:
        """Whether the files changed, and can be used: half a change must not be served."""
        if self._digest() == self._seen:
            return False
        _context().load_cert_chain(self._cert_file, self._key_file, password=_refuse_password)
        return True

    def _load(self) -> None:
        seen = self._digest()
        self.context.load_cert_chain(self._cert_file, self._key_file, password=_refuse_password)
        self._seen = seen

    def _digest(self) -> bytes:
        return sha256(self._cert_file.read_bytes() + b"\0" + self._key_file.read_bytes()).digest()


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _refuse_password() -> str:
    raise EncryptedKeyError


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return error.strerror or str(error)
