"""The gateway's own process in a pod's surroundings: an API server without TLS, and a name's addresses.

POD_API_SERVER is the API server's address; POD_ADDRESSES names a file of what DNS answers, separated by blanks.
All else is `python -m tidegate_web`.
"""

import asyncio
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from unittest import mock

from tidegate_web.__main__ import main
from tidegate_web.serving.discovery import schemes
from tidegate_web.serving.discovery.dns import DnsDiscovery
from tidegate_web.serving.discovery.endpointslice import ApiServer


async def resolve(_: str) -> frozenset[str]:
    """Answer as DNS would, from the file."""
    text = await asyncio.to_thread(Path(os.environ["POD_ADDRESSES"]).read_text)
    return frozenset(text.split())


if __name__ == "__main__":
    with tempfile.NamedTemporaryFile("w+") as token:
        token.write("token")
        token.flush()
        api = ApiServer(os.environ.get("POD_API_SERVER", ""), "trial", Path(token.name), None)
        with (
            mock.patch.object(ApiServer, "of_pod", return_value=api),
            mock.patch.object(schemes, "DnsDiscovery", partial(DnsDiscovery, resolver=resolve)),
        ):
            sys.exit(main())
