"""What a page is about: model, version or label, signature; and what it offers."""

import re

import pytest

ODD = "a/b:c \"'<&>\u00e4\u202e\0"


def options(page: str, select: str) -> list[str]:
    found = re.search(rf'<select id="pick-{select}".*?</select>', page, re.DOTALL)
    assert found
    return re.findall(r"<option[^>]*>([^<]*)", found[0])


def selected(page: str, select: str) -> list[str]:
    found = re.search(rf'<select id="pick-{select}".*?</select>', page, re.DOTALL)
    assert found
    return re.findall(r"<option[^>]* selected>([^<]*)", found[0])


@pytest.fixture
async def gateway(start_gateway, many_models, cards_dir):
    return await start_gateway(many_models(), cards_dir=str(cards_dir))


async def page_of(gateway, query: dict[str, str]) -> str:
    response = await gateway.client.get("/", params=query)
    assert response.status == 200
    return str(await response.text())


async def test_the_pickers_offer_models_versions_that_answer_and_signatures(gateway):
    page = await page_of(gateway, {"model": "digits"})
    assert options(page, "model") == ["and_gate", "digits", "mixed"]
    assert selected(page, "model") == ["digits"]
    assert options(page, "version") == ["default (2)", "2", "1"]
    assert options(page, "signature") == ["labels (by the API only)", "png", "serving_default"]
    assert selected(page, "signature") == ["serving_default"]
    assert '<option value="labels" disabled>' in page


async def test_a_link_shares_the_choice_and_the_form_carries_it(gateway):
    page = await page_of(gateway, {"model": "digits", "version": "1", "signature": "png"})
    assert (selected(page, "version"), selected(page, "signature")) == (["1"], ["png"])
    for name, value in (("model", "digits"), ("version", "1"), ("signature", "png")):
        assert f'<input type="hidden" name="{name}" value="{value}">' in page


@pytest.mark.parametrize("of_query", [False, True])
async def test_the_prediction_goes_to_what_was_chosen(gateway, of_query):
    choice = {"model": "digits", "version": "1", "signature": "png"}
    typed = {"png.all": "YWJj"}
    response = await (
        gateway.client.post("/home", params=choice, data=typed)
        if of_query
        else gateway.client.post("/home", data=choice | typed)
    )
    assert response.status == 200
    (seen,) = gateway.predictor.seen
    assert (seen.model.name, seen.model.version, seen.signature, seen.batchable) == ("digits", 1, "png", True)
    assert seen.inputs["png"].tolist() == [b"abc"]
    assert 'data-version="1"' in await response.text()


async def test_a_label_is_chosen_by_its_name(gateway):
    page = await page_of(gateway, {"label": "canary"})
    assert 'name="label" value="canary"' in page
    await gateway.client.post("/home", data={"label": "canary", "inputs.0": "1", "inputs.1": "1"})
    assert gateway.predictor.seen[0].model.label == "canary"


async def test_another_model_forgets_what_was_chosen_for_the_one_before(gateway):
    query = {"was": "digits", "model": "mixed", "version": "1", "label": "x", "signature": "png"}
    page = await page_of(gateway, query)
    assert selected(page, "model") == ["mixed"]
    assert selected(page, "version") == []


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ({"model": "nix"}, 404, "Servable not found for request: nix"),
        ({"model": ODD}, 404, "a/b:c &#34;&#39;&lt;&amp;&gt;"),
        ({"model": "m" * 201}, 400, "a text of at most 200 characters"),
        ({"version": "9"}, 404, "and_gate version 9"),
        ({"version": "one"}, 400, "expected a whole number, came the text"),
        ({"version": "\u0663"}, 400, "expected a whole number"),
        ({"version": "9" * 40}, 404, "No version 9999"),
        ({"version": "1", "label": "canary"}, 400, "Expected a version or a label, came both"),
        ({"label": "<b>"}, 400, "label: &lt;b&gt;"),
        ({"signature": "nix"}, 400, "&#34;nix&#34; not found in signature def"),
        ({"model": "digits", "signature": "labels"}, 400, "is for classify: ask POST /v1/models/digits:classify"),
        ({"example": "99"}, 400, "expected the number of one of its 2 examples"),
        ({"model": "mixed", "example": "1"}, 400, "expected no example"),
    ],
)
async def test_what_there_is_not_is_told_with_a_way_back(gateway, query, status, says):
    response = await gateway.client.get("/home", params=query)
    assert response.status == status
    page = await response.text()
    assert says in page
    assert re.search(r'<a href="/(home\?model=digits)?">the form</a>', page)


async def test_a_name_that_is_no_utf8_is_no_500(gateway):
    response = await gateway.client.get("/home?model=%ff%ed%a0%80")
    assert response.status == 404


async def test_no_input_takes_the_place_of_a_parameter(gateway):
    """The model `mixed` has inputs named `model` and `label`."""
    page = await page_of(gateway, {"model": "mixed"})
    assert '<textarea id="model.all" name="model.all"' in page
    assert 'id="label.0" name="label.0"' in page


async def test_pages_answer_head_and_forbid_what_they_do_not_need(gateway):
    response = await gateway.client.head("/", params={"model": "digits"})
    assert response.status == 200
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy


async def test_assets_are_kept_as_long_as_their_content_is_the_same(gateway):
    page = await page_of(gateway, {})
    addresses = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    assert len(addresses) == 3
    for address in addresses:
        response = await gateway.client.get(address)
        assert response.status == 200
        assert "immutable" in response.headers["Cache-Control"]
        again = await gateway.client.get(address, headers={"If-None-Match": response.headers["ETag"]})
        assert (again.status, await again.read()) == (304, b"")
        other = await gateway.client.get(f"{address}x")
        assert other.headers["Cache-Control"] == "no-cache"
    missing = await gateway.client.get("/assets/nix.js")
    assert missing.status == 404


async def test_the_forms_assets_leave_room_for_those_of_other_pages(gateway):
    page = await gateway.client.get("/docs")
    addresses = re.findall(r'(?:src|href)="(/assets/[^"]+)"', await page.text())
    assert addresses
    for address in addresses:
        assert (await gateway.client.get(address)).status == 200
