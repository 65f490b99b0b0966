"""The status page in a real browser, with and without JavaScript, while requests flow."""

import json
import signal
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

PATIENCE_MS = 15_000


@pytest.fixture(scope="module")
def start(start_gateway_process: Any, model_server: Any) -> Any:
    backends = f"static:{model_server.address}"
    return lambda: start_gateway_process(TIDEGATE_BACKENDS=backends, TIDEGATE_POD_NAME="web-a", TIDEGATE_DRAIN_S="2")


@pytest.fixture(scope="module")
def gateway(start: Any) -> Any:
    return start()


@pytest.fixture
def traffic(gateway: Any) -> Iterator[None]:
    """Predictions, one after the other, until the test ends."""
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            url = f"http://127.0.0.1:{gateway.http_port}/v1/models/and_gate:predict"
            with urllib.request.urlopen(url, data=b'{"instances": [[1, 1]]}', timeout=20) as answer:
                answer.read()

    sender = threading.Thread(target=send)
    sender.start()
    yield
    stop.set()
    sender.join()


def open_page(browser: Browser, gateway: Any, **options: Any) -> tuple[Page, list[str]]:
    """The page, and what the browser complains of."""
    page = browser.new_page(**options)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{gateway.ops}/status")
    return page, complaints


def test_with_javascript_figures_and_pictures_follow_the_traffic(chromium, gateway, request):
    page, complaints = open_page(chromium, gateway)
    expect(page.locator("#live")).to_have_text("live", timeout=PATIENCE_MS)
    value = page.locator(".figure", has_text="Requests").locator(".value")
    expect(value).to_have_text("0 / s")
    first = page.locator("#pictures svg").first.get_attribute("aria-label")
    request.getfixturevalue("traffic")
    expect(value).not_to_have_text("0 / s", timeout=PATIENCE_MS)
    assert page.locator("#pictures svg").first.get_attribute("aria-label") != first
    expect(page.locator("#backends tbody tr .state")).to_have_text("ready")
    expect(page.locator("#backends .version")).to_have_text("and_gate 1", timeout=PATIENCE_MS)
    assert not complaints


@pytest.mark.usefixtures("traffic")
def test_without_javascript_the_page_shows_figures_and_asks_to_be_loaded_again(chromium, gateway):
    page, complaints = open_page(chromium, gateway, java_script_enabled=False)
    value = page.locator(".figure", has_text="Requests").locator(".value")
    expect(value).not_to_have_text("0 / s", timeout=PATIENCE_MS)  # by the page's own refresh
    assert page.locator("svg.picture").count() == 4
    assert "web-a" in page.inner_text("h1")
    assert page.locator("#live").inner_text().startswith("as of ")
    assert not complaints


@pytest.mark.parametrize("width", [360, 1280, 1920])
def test_nothing_sticks_out_to_the_side(chromium, gateway, width):
    page, _ = open_page(chromium, gateway, viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_drain_ends_the_stream_and_the_page_says_what_it_shows_is_old(chromium, start):
    gateway = start()
    page, _ = open_page(chromium, gateway)
    expect(page.locator("#live")).to_have_text("live", timeout=PATIENCE_MS)
    gateway.process.send_signal(signal.SIGTERM)
    expect(page.locator("#ready")).to_have_text("draining", timeout=PATIENCE_MS)
    expect(page.locator("#live")).to_contain_text("not connected; as of", timeout=PATIENCE_MS)
    assert gateway.process.wait(timeout=20) == 0


def test_the_document_has_the_history_that_the_page_shows(gateway):
    with urllib.request.urlopen(f"{gateway.ops}/status.json", timeout=10) as answer:
        document = json.load(answer)
    assert document["pod"] == "web-a"
    assert document["backends"][0]["state"] == "ready"
    assert len(document["history"]) >= 1
