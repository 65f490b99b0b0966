"""Where the model servers are: `TIDEGATE_BACKENDS` names one of three schemes.

static:host:port,host:port     these, always
dns:host:port                  every address of a name, asked again each second
endpointslice:SERVICE:PORT     the ready endpoints of a Kubernetes Service, watched
"""

from collections.abc import AsyncIterator
from typing import Protocol


class Discovery(Protocol):
    """Tells the addresses of the model servers, and each change of them."""

    def watch(self) -> AsyncIterator[frozenset[str]]:
        """Yield the whole set of `host:port`, first as soon as it is known, then at each change; never ends."""
        ...
