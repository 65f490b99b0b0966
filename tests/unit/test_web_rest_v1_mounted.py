"""REST v1 without the gateway: any aiohttp application over any Predictor, as a model server's port 8501."""

from aiohttp import web
from aiohttp.test_utils import TestServer

from tidegate_web.prediction import Reply
from tidegate_web.rest_v1.handlers import RestV1


class PlainContext:
    """A RequestContext that keeps the replies."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []

    def request_id(self, request: web.Request) -> str:
        return request.path

    def client(self, request: web.Request) -> str:
        return request.path

    def remaining_s(self, request: web.Request) -> float:
        assert request.path
        return 5.0

    def answered(self, request: web.Request, reply: Reply) -> None:
        assert request.path
        self.replies.append(reply)


async def test_it_needs_a_predictor_and_a_context_alone(aiohttp_client, fake_predictor):
    context = PlainContext()
    app = web.Application()
    app.add_routes(RestV1(fake_predictor(classes=[[("on", 0.5)]], values=[2.5]), context).routes())
    server = TestServer(app)
    await server.start_server(auto_decompress=False)
    client = await aiohttp_client(server)
    model = "/v1/models/and_gate"
    asked = {
        f"{model}:predict": ({"instances": [[1, 1]]}, {"predictions": [[0.125, 0.875]]}),
        f"{model}:classify": ({"examples": [{"x": 1}]}, {"results": [[["on", 0.5]]]}),
        f"{model}:regress": ({"examples": [{"x": 1}]}, {"results": [2.5]}),
    }
    for path, (body, expected) in asked.items():
        response = await client.post(path, json=body)
        assert (response.status, await response.json()) == (200, expected)
    assert [reply.version for reply in context.replies] == [7, 7, 7]
    for path in (model, f"{model}/versions/7", f"{model}/metadata", f"{model}/labels/stable/metadata"):
        assert (await client.get(path)).status == 200
