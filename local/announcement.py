"""What `make run` says once everything answers: where it is, and what there is to know of the models."""

from collections.abc import Sequence

from choice import EXAMPLES
from ports import HOST, Ports


def announcement(models: Sequence[str], ports: Ports, warnings: Sequence[str], *, secured: bool) -> str:
    """Write it.

    Args:
        models: The names that are served.
        ports: Where things listen.
        warnings: What the model server warns of, which the log has in between.
        secured: Whether the gateway speaks TLS.
    """
    base, ops = f"{'https' if secured else 'http'}://{HOST}:{ports.http_port}", f"http://{HOST}:{ports.ops_port}"
    first, *others = (f"{base}/v1/models/{model}:predict" for model in models)
    lines = (
        "",
        f"Tidegate serves {' and '.join(models)}",
        "",
        f"  form     {base}/",
        f"  API      {first}",
        *(f"           {other}" for other in others),
        f"  docs     {base}/docs",
        f"  status   {ops}/status",
        f"  metrics  {ops}/metrics",
        f"  load     {_load_test(models[0], base, ports, secured=secured)}",
        "",
        *(f"Warning: {warning}\n" for warning in warnings),
        "Ctrl-C stops it.",
        "",
    )
    return "\n".join(lines)


def _load_test(model: str, base: str, ports: Ports, *, secured: bool) -> str:
    """Return the command that loads what runs here, for another terminal."""
    words = ["make loadtest"]
    if secured:
        words.append(f"HOST={base}")
    elif ports.http_port != Ports().http_port:
        words.append(f"HTTP_PORT={ports.http_port}")
    if model != EXAMPLES[0]:  # which Locust asks unless it is told another
        words.append(f"LOADTEST_MODEL={model}")
    return " ".join(words)
