"""A user of the model server's gRPC API; it runs when it is named: `locust -f loadtest GrpcUser`.

It goes past the gateway, to `LOADTEST_GRPC_HOST`, for comparing the two. It needs grpcio and tidegate_proto, which a
checkout's `.venv` has and the image does not.
"""

from importlib.util import find_spec
from time import sleep
from typing import TYPE_CHECKING

from locust import task

from checked import SETTINGS, PacedUser
from ledger import Route
from payloads import Payload, payload_for
from samples import CARD_FOLDERS, SampleError
from signatures import DEFAULT, SignatureError, choose

if TYPE_CHECKING:
    from _grpc_client import GrpcClient

TIMEOUT_S = 10.0
AGAIN_S = 1.0
NEEDED = ("grpc", "tidegate_proto")


class GrpcUser(PacedUser):
    """A program that asks a model server itself."""

    abstract = False
    by_name_only = True
    host = SETTINGS.grpc_host
    payload: Payload | None = None
    rpc: "GrpcClient"

    def on_start(self) -> None:
        """Connect."""
        if missing := [name for name in NEEDED if find_spec(name) is None]:
            self.environment.process_exit_code = 2
            self.environment.runner.quit()
            raise RuntimeError(f"GrpcUser needs {' and '.join(missing)}: run it from a checkout's .venv")
        from grpc.experimental.gevent import init_gevent  # noqa: PLC0415 only those who run this have gRPC

        from _grpc_client import GrpcClient  # noqa: PLC0415 the same

        init_gevent()
        self.rpc = GrpcClient(SETTINGS.grpc_host, TIMEOUT_S)
        super().on_start()

    def on_stop(self) -> None:
        """Disconnect."""
        self.rpc.close()

    @task
    def predict(self) -> None:
        """Send rows and check every answer; first of all, learn what fits."""
        from grpc import RpcError  # noqa: PLC0415 as above

        due_ns = self.begin()
        started_ns = self.state.now_ns()
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
            response_time=latency_ms if latency_ms is not None else (self.state.now_ns() - started_ns) / 1e6,
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
