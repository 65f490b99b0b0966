"""`python local/form_picture.py URL FILE`: press Predict on a page of the form, and keep a picture of what one sees.

The README's picture, while `make run` runs:

    .venv/bin/python local/form_picture.py 'http://127.0.0.1:8080/?model=digits&example=4' docs/images/form.png
"""

import argparse
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""A chromium that shows pages and asks nobody for anything; containers allow no sandbox. The tests' is the same."""

SIZE = (1180, 1000)


def main() -> None:
    """Take the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="a page of the form that needs no more than Predict")
    parser.add_argument("file", type=Path, help="the PNG to write")
    parser.add_argument("--dark", action="store_true", help="as those see it who prefer dark")
    options = parser.parse_args()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        page = browser.new_page(
            viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="dark" if options.dark else "light"
        )
        page.goto(options.url)
        for _ in range(3):  # the first answer's time is mostly its model server's warming up
            page.click("#predict")
            page.wait_for_selector("#answer[aria-busy=false] #result")
        page.mouse.move(0, 0)
        page.screenshot(path=options.file)
        browser.close()
    with Image.open(options.file) as taken:
        taken.convert("RGB").save(options.file, optimize=True)


if __name__ == "__main__":
    main()
