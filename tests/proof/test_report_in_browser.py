"""The report in a real browser: on a desk, on a telephone, in the dark, on paper."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.proof import records
from tests.proof.sealing import write_sealed
from tests.tools import tool
from tidegate_proof.report import render

WIDTHS = {"desk": 1180, "tablet": 800, "telephone": 360}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = tool("chromium", "apt-get install chromium")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_sealed(tmp_path_factory.mktemp("report") / "step", records.record())
    for name, content in render(folder).items():
        (folder / name).write_bytes(content)
    return folder / "report.html"


def opened(browser: Browser, report: Path, **options: Any) -> tuple[Page, list[str]]:
    """The page, and what it asked for beside itself or complained of."""
    page = browser.new_page(**options)
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("request", lambda request: heard.append(request.url))
    page.goto(report.as_uri())
    return page, [words for words in heard if words != report.as_uri() and not words.startswith("data:")]


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_page_is_as_wide_as_its_window_and_asks_for_nothing_else(browser, report, width):
    page, heard = opened(browser, report, viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert heard == []


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_letters_of_pictures_can_be_read(browser, report, width):
    page, _ = opened(browser, report, viewport={"width": width, "height": 900})
    heights = page.evaluate(
        """[...document.querySelectorAll('.picture svg text')].filter(text => text.checkVisibility())
            .map(text => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a)"""
    )
    assert len(heights) > 50
    assert min(heights) >= 9


def test_pictures_over_time_stand_one_below_the_other(browser, report):
    page, _ = opened(browser, report, viewport={"width": 1180, "height": 900})
    sides = page.evaluate(
        """[...document.querySelectorAll('#course .missed')].filter(box => box.checkVisibility())
            .map(box => box.getBoundingClientRect()).map(box => `${Math.round(box.left)} ${Math.round(box.right)}`)"""
    )
    assert len(sides) >= 4
    assert len(set(sides)) == 1


def test_words_differ_from_their_ground_in_the_dark_and_in_the_light(browser, report):
    for scheme in ("light", "dark"):
        page, _ = opened(browser, report, color_scheme=scheme)
        colours = page.evaluate(
            """['.lead', '.held', '.top h1', 'svg .tick', '.verdict .word'].map(name => {
                const style = getComputedStyle(document.querySelector(name));
                return name.startsWith('svg') ? style.fill : style.color;
            }).concat([getComputedStyle(document.body).backgroundColor])"""
        )
        *words, ground = [luminance(colour) for colour in colours]
        assert all(contrast(word, ground) >= 4.5 for word in words), (scheme, colours)


def test_paper_gets_the_wide_pictures_and_light_colours(browser, report):
    page, _ = opened(browser, report, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 700, "height": 900})
    assert page.locator("#course .wide").first.is_visible()
    assert not page.locator("#course .narrow").first.is_visible()
    assert luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) > 0.9


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)`, as WCAG 2 defines it."""
    shares = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
