"""A user of the model server's gRPC API; it runs when it is named: `locust -f loadtest GrpcUser`.

It goes past the gateway, to `LOADTEST_GRPC_HOST`, for comparing the two. It needs grpcio and tidegate_proto, which a
checkout's `.venv` has and the image does not.
"""

from importlib.util import find_spec
from time import sleep

from locust import task

from checked import SETTINGS, PacedUser
from ledger import Route
from payloads import Payload, payload_for
from samples import CARD_FOLDERS, SampleError
from signatures import DEFAULT, SignatureError, choose

MISSING = [name for name in ("grpc", "tidegate_proto") if find_spec(name) is None]
if not MISSING:
    from grpc import RpcError
    from grpc.experimental.gevent import init_gevent

    from _grpc_client import GrpcClient

TIMEOUT_S = 10.0
AGAIN_S = 1.0


class GrpcUser(PacedUser):
    """A program that asks a model server itself."""

    abstract = False
    by_name_only = True
    unusable = f"GrpcUser needs {' and '.join(MISSING)}: run it with a checkout's .venv" if MISSING else ""
    host = SETTINGS.grpc_host
    payload: Payload | None = None

    def on_start(self) -> None:
        """Connect."""
        init_gevent()  # else a call would hold up all users; doing it again does no harm
        self.rpc = GrpcClient(SETTINGS.grpc_host, TIMEOUT_S)
        super().on_start()

    def on_stop(self) -> None:
        """Disconnect."""
        self.rpc.close()

    @task
    def predict(self) -> None:
        """Send rows and check every answer; first of all, learn what fits."""
        due_ns = self.begin()
        version, problem = "", ""
        try:
            payload = self.payload or self._learn()
            rows = payload.some(self.rows(), self.source)
            found, version = self.rpc.predict(SETTINGS.model, payload.signature, [row.inputs for row in rows])
            problem = found if isinstance(found, str) else payload.wrong_rows(rows, found)
        except RpcError as error:
            problem = f"expected status OK, came {error.code().name}: {error.details()}"
        except (SignatureError, SampleError) as error:
            problem = str(error)
        latency_ms = self.finish(due_ns, Route(backend=SETTINGS.grpc_host, version=version), right=not problem)
        self.environment.events.request.fire(
            request_type="GRPC",
            name=f"Predict {SETTINGS.model}",
            response_time=latency_ms,
            response_length=0,
            exception=RuntimeError(problem) if problem else None,
            context={},
        )
        if problem and self.payload is None:
            sleep(AGAIN_S)

    def _learn(self) -> Payload:
        signature = choose(self.rpc.signatures(SETTINGS.model), DEFAULT)
        folders = (SETTINGS.cards,) if SETTINGS.cards else CARD_FOLDERS
        self.payload = payload_for(
            SETTINGS.model, signature, folders, seed=SETTINGS.seed, iterations=SETTINGS.iterations
        )
        return self.payload
