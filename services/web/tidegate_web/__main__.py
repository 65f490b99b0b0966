"""`tidegate-web`: run the gateway with the settings of the environment."""

import os
import sys

import prometheus_client
import uvloop

from tidegate_web import logs
from tidegate_web.server.gateway import serve
from tidegate_web.settings import Settings, SettingsError


def main() -> int:
    """Run until told to stop; exit code 2 when a setting cannot be used."""
    logs.set_up()
    # A second series for each counter, which nothing here reads
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the one untyped function
    try:
        uvloop.run(serve(Settings.from_environ(os.environ)))
    except SettingsError as error:
        sys.stderr.write(f"tidegate-web: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
