"""The documentation page in a real browser, with and without JavaScript."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect


@pytest.fixture(scope="module")
def gateway(start_gateway_process: Any, model_server: Any) -> Any:
    return start_gateway_process(TIDEGATE_BACKENDS=f"static:{model_server.address}")


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without"])
def context(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(java_script_enabled=request.param, viewport={"width": 390, "height": 844})
    yield context
    context.close()


def test_the_page_reads_offline_with_and_without_javascript(gateway, context):
    origin = f"http://{gateway.address}"
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{origin}/docs")
    first = page.locator("#v1_predict-and_gate")
    expect(first.locator(".command").first).to_contain_text(f"curl -s {origin}/v1/models/and_gate:predict")
    other = page.locator("#v2_infer-and_gate")
    expect(other.locator(".command")).not_to_be_visible()
    other.locator("summary").click()
    expect(other.locator(".command")).to_be_visible()
    assert all(url.startswith((origin, "data:")) for url in asked)
    assert complaints == []
    assert page.locator("html").evaluate("html => html.scrollWidth") <= 390


def test_a_request_is_sent_from_the_page_by_keyboard(gateway, chromium):
    page = chromium.new_page()
    page.goto(f"http://{gateway.address}/docs#v2_infer-and_gate")
    attempt = page.locator("#v2_infer-and_gate .try")
    attempt.get_by_role("button", name="Send").focus()
    page.keyboard.press("Enter")
    expect(attempt.locator(".answer h3")).to_have_text("200 OK")
    expect(attempt.locator(".answer pre")).to_contain_text('"model_name": "and_gate"')
    page.close()
