"""Which web pages may call the API."""

import pytest

from tidegate_web.errors import Unavailable
from tidegate_web.server.cors import cors
from tidegate_web.settings import SettingsError

PREDICT = "/v1/models/and_gate:predict"
BODY = {"instances": [[1, 1]]}
PAGE = "https://shop.example"
OTHER = "https://evil.example"
ASKING = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


async def test_by_default_no_page_may(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.post(PREDICT, json=BODY, headers={"Origin": PAGE})
    assert response.status == 200
    preflight = await gateway.client.options(PREDICT, headers={"Origin": PAGE} | ASKING)
    assert preflight.status == 405
    for answer in (response, preflight):
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_a_page_of_a_named_origin_may_and_caches_are_told(start_gateway):
    gateway = await start_gateway(cors_origins=f"{PAGE}, https://b.example:8443")
    for origin in (PAGE, "https://b.example:8443"):
        response = await gateway.client.post(PREDICT, json=BODY, headers={"Origin": origin})
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert "Tidegate-Model-Version" in response.headers["Access-Control-Expose-Headers"]
        assert response.headers["Vary"] == "Origin"


async def test_a_page_may_read_every_header_of_ours(start_gateway):
    gateway = await start_gateway(cors_origins=PAGE, expose_route=True)
    binary = {
        "inputs": [{"name": "inputs", "datatype": "FP32", "shape": [1, 2], "data": [1, 1]}],
        "parameters": {"binary_data_output": True},
    }
    for path, body in ((PREDICT, BODY), ("/v2/models/and_gate/infer", binary)):
        response = await gateway.client.post(path, json=body, headers={"Origin": PAGE})
        assert response.status == 200
        ours = {
            name for name in response.headers if name.startswith(("Tidegate-", "Inference-", "X-", "Server-Timing"))
        }
        assert len(ours) >= 6
        assert ours <= set(response.headers["Access-Control-Expose-Headers"].split(", "))


@pytest.mark.parametrize("origin", [OTHER, "https://shop.example.evil.example", "null", "http://shop.example", None])
async def test_a_page_of_another_origin_may_not_and_caches_are_told(start_gateway, origin):
    gateway = await start_gateway(cors_origins=PAGE)
    headers = {"Origin": origin} if origin else {}
    response = await gateway.client.post(PREDICT, json=BODY, headers=headers)
    assert response.status == 200
    assert "Access-Control-Allow-Origin" not in response.headers
    assert response.headers["Vary"] == "Origin"
    if origin:
        preflight = await gateway.client.options(PREDICT, headers=headers | ASKING)
        assert preflight.status == 405
        assert "Access-Control-Allow-Origin" not in preflight.headers


async def test_a_star_is_every_page(start_gateway):
    gateway = await start_gateway(cors_origins="*")
    response = await gateway.client.get("/v1/models/and_gate", headers={"Origin": OTHER})
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in response.headers


@pytest.mark.parametrize("path", [PREDICT, "/v2/models/and_gate/infer"])
async def test_a_preflight_is_answered_before_anything_else(start_gateway, fake_predictor, path):
    gateway = await start_gateway(fake_predictor(error=Unavailable("away")), cors_origins=PAGE)
    preflight = await gateway.client.options(path, headers={"Origin": PAGE} | ASKING)
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert {
        "Authorization", "Content-Encoding", "Content-Type", "Inference-Header-Content-Length",
        "X-Request-ID", "X-Request-Timeout", "X-Client-ID",
    } == set(preflight.headers["Access-Control-Allow-Headers"].split(", "))  # fmt: skip
    assert preflight.headers["Access-Control-Max-Age"] == "600"
    assert await preflight.read() == b""


@pytest.mark.parametrize(("method", "path", "status"), [("POST", PREDICT, 503), ("GET", "/v1/nix", 400)])
async def test_a_page_may_read_errors_too(start_gateway, fake_predictor, method, path, status):
    gateway = await start_gateway(fake_predictor(error=Unavailable("away")), cors_origins=PAGE)
    response = await gateway.client.request(method, path, json=BODY, headers={"Origin": PAGE})
    assert response.status == status
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert response.headers["X-Request-ID"]


async def test_the_form_is_nobody_elses(start_gateway):
    gateway = await start_gateway(cors_origins="*")
    response = await gateway.client.get("/home", headers={"Origin": PAGE})
    assert response.status == 200
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("origins", ["shop.example", "https://shop.example/", "https://a.example,x", "https://"])
def test_a_setting_that_no_browser_would_send_is_refused_at_start(origins):
    with pytest.raises(SettingsError, match=r"TIDEGATE_CORS_ORIGINS: expected https://example\.org or \*"):
        cors(origins, "X-Client-ID")
