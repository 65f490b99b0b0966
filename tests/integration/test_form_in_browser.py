"""The form in a real browser, Debian's chromium, with and without JavaScript."""

import asyncio
import io
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tidegate_web.admission import AdmittedPredictor
from tidegate_web.errors import BadInput, Unavailable
from tidegate_web.metrics import Metrics
from tidegate_web.server.app import make_app
from tidegate_web.server.connection_age import ConnectionAge
from tidegate_web.server.exchanges import Exchanges
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.server.middlewares import Observer
from tidegate_web.settings import Settings

FIRST, SECOND = "[id='inputs.0']", "[id='inputs.1']"
SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])


@contextmanager
def served(app_of: Callable[[], web.Application]) -> Iterator[str]:
    """Serve an application from a thread of its own: the browser's driver takes this one's event loop."""
    loop = asyncio.new_event_loop()
    started: list[str] = []
    ready = threading.Event()

    async def start() -> web.AppRunner:
        runner = web.AppRunner(app_of(), auto_decompress=False)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        started.append("http://{}:{}".format(*runner.addresses[0][:2]))
        return runner

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    yield started[0]
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


@pytest.fixture(scope="module")
def predictor(many_models: Any) -> Any:
    return many_models()


@pytest.fixture(scope="module")
def site(predictor: Any, cards_dir: Path) -> Iterator[str]:
    """The gateway's HTTP side over the many models; gives its address."""

    def app() -> web.Application:
        settings, metrics = Settings(cards_dir=str(cards_dir)), Metrics()
        admitted = AdmittedPredictor(predictor, 8, 8, metrics)
        ages = ConnectionAge(0, asyncio.get_running_loop().time)
        lifecycle = Lifecycle(listening=True, discovered=True)
        observer = Observer(Exchanges(settings, metrics, lifecycle, pod="pod-a"), ages)
        return make_app(settings, admitted, observer, lifecycle)

    with served(app) as address:
        yield address


@pytest.fixture
def open_page(chromium: Browser, site: str) -> Iterator[Callable[..., Page]]:
    """Open pages; at the end of the test nothing was complained of, and nothing was asked of another host."""
    complaints: list[str] = []
    asked: list[str] = []
    contexts = []

    def start(path: str = "/", *, scripts: bool = True, **options: Any) -> Page:
        context = chromium.new_context(java_script_enabled=scripts, base_url=site, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path)
        return page

    yield start
    for context in contexts:
        context.close()
    # Chromium itself logs each answer of 4xx and 5xx
    assert [text for text in complaints if not text.startswith("Failed to load resource")] == []
    assert [url for url in asked if not url.startswith((site, "data:", "blob:"))] == []


def png(pixels: "np.ndarray[Any, Any]") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def ink_in_row(row: int) -> dict[str, Any]:
    pixels = np.full((64, 64), 255, np.uint8)
    pixels[8 * row : 8 * row + 8] = 0
    return {"name": "digit.png", "mimeType": "image/png", "buffer": png(pixels)}


@SCRIPTS
def test_what_is_typed_is_predicted(open_page, scripts):
    page = open_page(scripts=scripts)
    page.fill(FIRST, "5")
    page.fill(SECOND, "6")
    page.click("#predict")
    result = page.locator("output#result")
    expect(result).to_contain_text("on")
    assert result.get_attribute("data-class") == "1"
    assert page.input_value(FIRST) == "5"
    expect(page.locator("#curl")).to_contain_text(":predict")
    assert page.locator(".legend li").count() == 4


def test_with_scripts_the_page_is_not_left(open_page):
    page = open_page()
    page.evaluate("window.kept = 'yes'")
    page.fill(FIRST, "1")
    page.fill(SECOND, "1")
    page.press(SECOND, "Enter")
    expect(page.locator("#result")).to_be_visible()
    page.locator(".example").nth(1).click()
    expect(page.locator(SECOND)).to_have_value("0.5")
    page.go_back()
    expect(page.locator(SECOND)).to_have_value("")
    assert page.evaluate("window.kept") == "yes"


@SCRIPTS
def test_a_wrong_field_is_told_beside_it_and_in_the_answer(open_page, scripts):
    page = open_page(scripts=scripts)
    page.fill(FIRST, "five")
    page.fill(SECOND, "6")
    page.click("#predict")
    expect(page.locator("[id='error-inputs.0']")).to_contain_text("Expected a number")
    expect(page.locator("#said")).to_contain_text("First input: Expected a number")
    assert page.get_attribute(FIRST, "aria-invalid") == "true"
    assert (page.input_value(FIRST), page.input_value(SECOND)) == ("five", "6")
    if scripts:
        expect(page.locator(FIRST)).to_be_focused()
    page.fill(FIRST, "5")
    page.click("#predict")
    expect(page.locator("#result")).to_contain_text("on")
    assert page.locator(".error").count() == 0


@SCRIPTS
def test_an_example_fills_the_form_and_the_answer_is_judged(open_page, scripts):
    page = open_page("/?model=digits", scripts=scripts)
    page.locator(".example").nth(3).click()
    expect(page.locator(".example[aria-current]")).to_have_text(re.compile("3$"))
    page.click("#predict")
    expect(page.locator(".judged")).to_have_text("As expected: 3")


def test_the_pickers_show_another_model_at_once_and_forget_its_version(open_page):
    page = open_page("/?model=and_gate&version=1")
    page.focus("#pick-model")
    page.select_option("#pick-model", "digits")
    expect(page.locator("h1")).to_have_text("Handwritten digits")
    expect(page.locator("#pick-model")).to_be_focused()
    assert page.url.endswith("/home?model=digits")
    page.select_option("#pick-signature", "png")
    expect(page.locator("legend")).to_have_text("png")
    page.fill("#pick-label", "canary")
    page.press("#pick-label", "Enter")
    expect(page.locator("#ask input[name=label]")).to_have_value("canary")
    page.select_option("#pick-version", "1")
    expect(page.locator("#ask input[name=version]")).to_have_value("1")
    expect(page.locator("#pick-label")).to_have_value("")


def test_the_pickers_work_without_scripts(open_page):
    page = open_page("/?model=and_gate&version=1", scripts=False)
    page.select_option("#pick-model", "digits")
    page.click("text=Show")
    expect(page.locator("h1")).to_have_text("Handwritten digits")


@SCRIPTS
def test_a_picture_is_uploaded_and_shown_as_the_model_gets_it(open_page, scripts):
    page = open_page("/?model=digits", scripts=scripts)
    page.set_input_files("[id='images.all.file']", ink_in_row(6))
    if scripts:
        expect(page.locator("img.chosen")).to_have_attribute("alt", "Preview of digit.png")
    page.click("#predict")
    expect(page.locator("#result")).to_have_attribute("data-class", "6")
    assert page.locator("[id='images.all']").input_value().count("16.0") == 8
    expect(page.locator("draw-pad canvas" if scripts else ".seen img")).to_be_visible()
    if scripts:  # the file is still chosen, until something is drawn
        assert page.evaluate("document.getElementById('images.all.file').files.length") == 1
        page.click("draw-pad >> text=Clear")
        assert page.evaluate("document.getElementById('images.all.file').files.length") == 0


def test_a_file_that_is_no_picture_is_told_beside_it(open_page):
    page = open_page("/?model=digits")
    page.set_input_files("[id='images.all.file']", {"name": "a.png", "mimeType": "image/png", "buffer": b"no"})
    page.click("#predict")
    expect(page.locator("[id='error-images.all']")).to_contain_text("a file that cannot be read as one")


@SCRIPTS
def test_a_large_body_is_saved_as_the_file_that_the_command_reads(open_page, predictor, scripts):
    page = open_page("/?model=digits&signature=png", scripts=scripts)
    file = {"name": "a.png", "mimeType": "image/png", "buffer": bytes(range(256)) * 400}
    page.set_input_files("[id='png.all.file']", file)
    page.click("#predict")
    expect(page.locator("#curl")).to_contain_text("-d @row.json")
    with page.expect_download() as saving:
        page.click("#body")
    assert saving.value.suggested_filename == "row.json"
    body = saving.value.path().read_bytes()
    page.request.post("/v1/models/digits:predict", data=body, headers={"Content-Type": "application/json"})
    typed, sent = predictor.seen[-2:]
    assert (sent.signature, sent.inputs["png"].tolist()) == ("png", typed.inputs["png"].tolist())


def test_a_files_old_error_goes_with_the_next_answer(open_page, predictor, monkeypatch):
    page = open_page("/?model=digits&signature=png")
    file = page.locator("[id='png.all.file']")
    page.click("#predict")
    expect(page.locator("[id='error-png.all']")).to_contain_text("came nothing")
    expect(file).to_have_attribute("aria-invalid", "true")
    page.set_input_files("[id='png.all.file']", ink_in_row(3))
    page.click("#predict")
    expect(page.locator("#result")).to_be_visible()
    assert file.get_attribute("aria-invalid") is None
    assert page.locator(".error").count() == 0
    assert page.evaluate(BROKEN) == []
    page.set_input_files("[id='png.all.file']", {"name": "a.png", "mimeType": "image/png", "buffer": b""})
    page.click("#predict")
    expect(page.locator("[id='error-png.all']")).to_contain_text("came an empty one")
    expect(file).to_have_attribute("aria-invalid", "true")
    expect(file).to_have_attribute("aria-describedby", "hint-png.all error-png.all")

    async def no_picture(*_: object) -> None:
        raise BadInput("Unknown image file format.\n\t [[{{function_node body_3}}{{node map/while/DecodePng}}]]")

    monkeypatch.setattr(predictor, "predict", no_picture)
    page.set_input_files("[id='png.all.file']", {"name": "a.png", "mimeType": "image/png", "buffer": b"no"})
    page.click("#predict")
    expect(page.locator("[id='error-png.all']")).to_have_text("Unknown image file format.")
    expect(page.locator("#said")).to_contain_text("The model refused this.")
    assert page.evaluate(BROKEN) == []


def test_an_error_about_no_field_takes_the_old_ones_back(open_page, predictor, monkeypatch):
    page = open_page()
    page.fill(FIRST, "five")
    page.fill(SECOND, "6")
    page.click("#predict")
    expect(page.locator(FIRST)).to_have_attribute("aria-invalid", "true")

    async def refuse(*_: object) -> None:
        raise BadInput("Too hot.\n\t [[{{node Assert}}]]")

    monkeypatch.setattr(predictor, "predict", refuse)
    page.fill(FIRST, "5")
    page.click("#predict")
    expect(page.locator("#said [role=alert]")).to_have_text("Too hot.")
    expect(page.locator("#said > p").first).to_have_text("This cannot be asked")
    assert page.locator("#ask .error, #ask [aria-invalid]").count() == 0
    assert page.evaluate(BROKEN) == []


def test_an_unknown_label_is_told_beside_the_form_which_keeps_what_was_typed(open_page):
    page = open_page()
    page.fill(FIRST, "5")
    page.fill("#pick-label", "nix")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.press("#pick-label", "Enter")
    expect(page.locator("#said [role=alert]")).to_have_text("Unrecognized servable version label: nix")
    assert page.input_value(FIRST) == "5"
    assert [url for url in asked if "label=nix" in url] == asked
    assert len(asked) == 1
    assert "label" not in page.url
    expect(page.locator("#pick-label")).to_have_value("")
    page.fill(SECOND, "6")
    page.click("#predict")
    expect(page.locator("#result")).to_contain_text("on")


def test_without_scripts_an_unknown_label_leads_back_to_the_models_form(open_page):
    page = open_page("/?model=digits&label=nix", scripts=False)
    page.click("text=the form")
    expect(page.locator("h1")).to_have_text("Handwritten digits")


def test_a_digit_is_drawn_with_the_mouse(open_page, predictor):
    page = open_page("/?model=digits")
    box = page.locator("draw-pad canvas").bounding_box()
    assert box
    y = box["y"] + box["height"] * 2.5 / 8  # the middle of row 2
    page.mouse.move(box["x"] + 20, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 20, y, steps=5)
    page.mouse.up()
    page.click("#predict")
    expect(page.locator("#result")).to_have_attribute("data-class", "2")
    drawn = predictor.seen[-1].inputs["images"][0]
    assert drawn[2].min() > 10
    assert drawn[5:].max() == 0
    page.click("text=Erase")
    page.mouse.move(box["x"] + 20, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, y, steps=5)
    page.mouse.up()
    page.click("#predict")
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "false")
    assert predictor.seen[-1].inputs["images"][0][2].sum() < drawn[2].sum()


def test_everything_can_be_done_with_keys(open_page, predictor):
    page = open_page("/?model=digits")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(5):
        page.keyboard.press("Tab")
    expect(page.locator("draw-pad canvas")).to_be_focused()
    for key in ("ArrowDown", "Space", "ArrowRight", "Space", "ArrowRight", "Space", "Space"):
        page.keyboard.press(key)
    expect(page.locator("draw-pad [role=status]")).to_have_text("row 6, column 7: 0 %")
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.id") != "predict":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_have_attribute("data-class", "5")
    assert predictor.seen[-1].inputs["images"][0][5].tolist() == [0, 0, 0, 0, 16, 16, 0, 0]
    expect(page.locator("#predict")).to_be_focused()


def test_the_command_is_copied(open_page):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.fill(FIRST, "1")
    page.fill(SECOND, "1")
    page.click("#predict")
    page.click("[data-copy]")
    expect(page.locator("[data-copy]")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#curl").text_content()


@SCRIPTS
def test_an_outage_is_told_and_what_was_typed_can_be_sent_again(open_page, predictor, monkeypatch, scripts):
    page = open_page(scripts=scripts)
    page.fill(FIRST, "1")
    page.fill(SECOND, "1")

    async def away(*_: object) -> None:
        raise Unavailable("No model server can answer now")

    monkeypatch.setattr(predictor, "predict", away)
    page.click("#predict")
    expect(page.locator("#unavailable")).to_have_text("No model server can answer now")
    monkeypatch.undo()
    page.click("#predict" if scripts else "text=Send again")
    expect(page.locator("#result")).to_contain_text("on")


def test_a_gateway_that_is_gone_is_told(open_page):
    page = open_page()
    page.fill(FIRST, "1")
    page.context.route("**/home", lambda route: route.abort())
    page.click("#predict")
    expect(page.locator("#said")).to_contain_text("The gateway cannot be reached")
    assert page.input_value(FIRST) == "1"
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "false")
    page.context.unroute("**/home")


UNNAMED = """() => {
  const named = (element) => element.ariaLabel || element.title || element.textContent.trim()
    || [...(element.labels ?? [])].map((label) => label.textContent).join("").trim()
    || (element.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent)
      .join("").trim();
  const controls = "a, button, input:not([type=hidden]), select, textarea, canvas, [tabindex='0']";
  return [...document.querySelectorAll(controls)].filter((control) => !named(control)).map((one) => one.outerHTML);
}"""
BROKEN = """() => [...document.querySelectorAll("[aria-describedby], [aria-labelledby], [for]")].flatMap((element) =>
  ["aria-describedby", "aria-labelledby", "for"].flatMap((name) => (element.getAttribute(name) ?? "").split(" "))
).filter((id) => id && !document.getElementById(id))"""
DOUBLE = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  return ids.filter((id, at) => ids.indexOf(id) !== at);
}"""
LEVELS = "() => [...document.querySelectorAll('h1, h2, h3, h4')].map((heading) => Number(heading.tagName[1]))"
FAINT = """() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null;
      const colour = rgba(style.backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("main *")].filter((element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) && element.offsetParent
  ).map((element) => {
    const under = behind(element);
    if (!under) return null;
    const [one, other] = [light(rgba(getComputedStyle(element).color)), light(under)].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    return contrast < 4.5 ? `${element.outerHTML.slice(0, 90)} ${contrast.toFixed(2)}` : null;
  }).filter(Boolean);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/?example=1", "/?model=digits&example=4", "/?model=mixed", "/?model=nix"])
def test_every_control_has_its_name_and_every_text_its_contrast(open_page, path, scheme):
    page = open_page(path, color_scheme=scheme)
    if page.locator("#predict").count():
        page.click("#predict")
        expect(page.locator("#said")).not_to_be_empty()
    assert page.evaluate(UNNAMED) == []
    assert page.evaluate(BROKEN) == []
    assert page.evaluate(DOUBLE) == []
    assert page.evaluate(FAINT) == []
    levels = page.evaluate(LEVELS)
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_dark_mode_is_dark(open_page, tmp_path):
    brightness = {}
    for scheme in ("light", "dark"):
        page = open_page("/?model=digits&example=4", color_scheme=scheme)
        page.screenshot(path=tmp_path / f"{scheme}.png")
        brightness[scheme] = np.asarray(Image.open(tmp_path / f"{scheme}.png").convert("L"))[300:, 5].mean()
    assert brightness["dark"] < 40
    assert brightness["light"] > 220


def test_a_class_without_a_name_stands_on_one_line(open_page):
    page = open_page("/?model=mixed", viewport={"width": 1100, "height": 900})
    page.fill("[id='label.0']", "a")
    page.select_option("[id='urgent.0']", "true")
    page.fill("[id='count.0']", "1")
    page.fill("[id='count.1']", "1")
    page.fill("[id='model.all']", str([0] * 40))
    page.set_input_files("[id='photo.all.file']", ink_in_row(1))
    page.click("#predict")
    name = page.locator(".bars .largest th span")
    expect(name).to_have_text("Class 417")
    box = name.bounding_box()
    assert box
    assert box["height"] < 30


@pytest.mark.parametrize("path", ["/?example=1", "/?model=digits&example=4", "/?model=mixed", "/?model=nix"])
def test_nothing_sticks_out_of_a_small_screen(open_page, path):
    page = open_page(path, viewport={"width": 360, "height": 740}, has_touch=True)
    if page.locator("#predict").count():
        page.click("#predict")
        expect(page.locator("#said")).not_to_be_empty()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_another_sites_page_cannot_post_here(chromium, site, predictor):
    """A page of localhost is not of 127.0.0.1."""
    page_of_another = (
        f'<form method="post" action="{site}/home"><input name="input1" value="1"><button>Go</button></form>'
    )

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=page_of_another, content_type="text/html")

    def app() -> web.Application:
        other = web.Application()
        other.router.add_get("/", answer)
        return other

    seen = len(predictor.seen)
    with served(app) as address:
        page = chromium.new_page()
        page.goto(address.replace("127.0.0.1", "localhost"))
        page.click("button")
        expect(page.locator("h1")).to_have_text("Not sent from here")
        page.close()
    assert len(predictor.seen) == seen
