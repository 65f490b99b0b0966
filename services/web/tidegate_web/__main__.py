"""`tidegate-web`: run the gateway with the settings of the environment."""

import os
import shutil
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter

import prometheus_client
import uvloop

from tidegate_web import logs
from tidegate_web.server.gateway import serve
from tidegate_web.settings import Settings, SettingsError, listing


def main() -> int:
    """Run until told to stop; exit code 2 when a setting cannot be used, or for any argument but `--help`."""
    ArgumentParser(
        "tidegate-web",
        description="The gateway: a web form and a JSON API in front of TensorFlow model servers.",
        epilog=f"settings, from the environment, with their defaults:\n{listing(shutil.get_terminal_size().columns)}",
        formatter_class=RawDescriptionHelpFormatter,
    ).parse_args()
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
