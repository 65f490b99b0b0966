"""What a label's key and value may look like, in Kubernetes' words.

Source: k8s.io/apimachinery v0.35.0, pkg/api/validate/content/{kube,dns,errors}.go.
"""

from __future__ import annotations

import re
from typing import Final

_KEY: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE: Final = f"({_KEY})?"
_DNS_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
_LONGEST: Final = 63
_LONGEST_SUBDOMAIN: Final = 253

_ALPHANUMERIC: Final = (
    "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_BAD_KEY: Final = (
    f"must {_ALPHANUMERIC} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_KEY}')"
)
_BAD_VALUE: Final = (
    f"a valid label must be an empty string or {_ALPHANUMERIC} "
    f"(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '{_VALUE}')"
)
_BAD_SUBDOMAIN: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    f"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)


def is_label_key(key: str) -> list[str]:
    """Return what is wrong with a label's key, nothing if it is one (IsLabelKey)."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return [
            f"a valid label key {_BAD_KEY} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    wrong = [f"prefix part {text}" for text in _subdomain(prefix)] if slash else []
    if not name:
        wrong.append("name part must be non-empty")
    elif _bytes(name) > _LONGEST:
        wrong.append(f"name part must be no more than {_LONGEST} bytes")
    if not re.fullmatch(_KEY, name):
        wrong.append(f"name part {_BAD_KEY}")
    return wrong


def is_label_value(value: str) -> list[str]:
    """Return what is wrong with a label's value, nothing if it is one (IsLabelValue)."""
    wrong = [f"must be no more than {_LONGEST} bytes"] if _bytes(value) > _LONGEST else []
    return wrong if re.fullmatch(_VALUE, value) else [*wrong, _BAD_VALUE]


def _subdomain(prefix: str) -> list[str]:
    if not prefix:
        return ["must be non-empty"]
    wrong = [f"must be no more than {_LONGEST_SUBDOMAIN} bytes"] if _bytes(prefix) > _LONGEST_SUBDOMAIN else []
    return wrong if re.fullmatch(_SUBDOMAIN, prefix) else [*wrong, _BAD_SUBDOMAIN]


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
