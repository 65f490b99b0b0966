"""Canary weights: shares, stickiness, and files that cannot be used."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_web.prediction import ModelRef
from tidegate_web.serving import router
from tidegate_web.serving.router import Router, parse_routes
from tidegate_web.settings import SettingsError

CANARY = "and_gate: {stable: 90, canary: 10}"
AND_GATE = ModelRef("and_gate")


def test_shares_over_many_clients_are_within_a_hundredth(tmp_path):
    file = tmp_path / "routes.yaml"
    file.write_text("and_gate: {stable: 75, canary: 20, old: 5}")
    routes = Router(["and_gate"], file)
    labels = Counter(routes.route(AND_GATE, f"client-{number}").label for number in range(100_000))
    for label, share in (("stable", 0.75), ("canary", 0.2), ("old", 0.05)):
        assert abs(labels[label] / 100_000 - share) < 0.01


@given(st.text())
def test_a_client_stays_with_its_label(client):
    split = parse_routes(CANARY)["and_gate"]
    assert split.label("and_gate", client) == split.label("and_gate", client) in {"stable", "canary"}


def test_more_weight_moves_clients_one_way_only():
    few, many = parse_routes("m: {new: 10, old: 90}")["m"], parse_routes("m: {new: 40, old: 60}")["m"]
    clients = [str(number) for number in range(2000)]
    assert {c for c in clients if few.label("m", c) == "new"} < {c for c in clients if many.label("m", c) == "new"}


def test_a_named_version_or_label_and_other_models_stay(tmp_path):
    file = tmp_path / "routes.yaml"
    file.write_text(CANARY)
    routes = Router(["and_gate"], file)
    for model in (ModelRef("and_gate", version=2), ModelRef("and_gate", label="old"), ModelRef("digits")):
        assert routes.route(model, "x") == model
    assert routes.known == ("and_gate",)


def test_all_weight_on_one_label_sends_everybody_there():
    split = parse_routes("m: {a: 0, b: 3, c: 0}")["m"]
    assert {split.label("m", str(number)) for number in range(100)} == {"b"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[1]", "model"),
        ("m: 3", "m"),
        ("m: {}", "m"),
        ("m: {a: -1}", "m.a"),
        ("m: {a: x}", "m.a"),
        ("m: {a: true}", "m.a"),
        ("m: {a: .nan}", "m.a"),
        ("m: {a: .inf}", "m.a"),
        ("m: {a: 0}", "m"),
        ("m: {a: [", "YAML"),
        ("[" * 3000, "YAML"),
    ],
)
def test_a_file_that_is_wrong_is_told_where(tmp_path, text, named):
    with pytest.raises(ValueError, match=named):
        parse_routes(text)
    file = tmp_path / "routes.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="TIDEGATE_ROUTES_FILE"):
        Router([], file)


def test_a_file_that_is_too_large_is_not_cut_in_silence(tmp_path):
    file = tmp_path / "routes.yaml"
    file.write_text("and_gate: {a: 1}\n" + "#" * 2**20)
    with pytest.raises(SettingsError, match="at most"):
        Router(["and_gate"], file)


async def test_the_file_is_read_again_and_a_bad_one_changes_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(router, "LOOK_S", 0.01)
    file = tmp_path / "routes.yaml"

    def write(text: str) -> None:
        new = tmp_path / "new"
        new.write_text(text)
        new.replace(file)  # whole, as a ConfigMap's link is swapped

    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0.01)

    write("and_gate: {a: 1}")
    routes = Router(["and_gate"], file)
    following = asyncio.create_task(routes.follow())
    write("and_gate: {b: 1}")
    await until(lambda: routes.route(AND_GATE, "x").label == "b")
    write("and_gate: [")
    await until(lambda: "the last good ones stand" in caplog.text)
    assert routes.route(AND_GATE, "x").label == "b"
    write("and_gate: {c: 1}")
    await until(lambda: routes.route(AND_GATE, "x").label == "c")
    following.cancel()


def test_it_tells_the_share_of_each_label_that_has_one(tmp_path):
    file = tmp_path / "routes.yaml"
    file.write_text("and_gate: {stable: 3, canary: 1, old: 0}")
    assert Router(["and_gate"], file).shares == {"and_gate": {"stable": 0.75, "canary": 0.25}}
    assert Router(["and_gate"]).shares == {}
