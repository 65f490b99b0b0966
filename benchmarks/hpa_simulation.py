"""How long `tidegate-hpa simulate` takes: 24 hours at up to 10,000 pods.

python benchmarks/hpa_simulation.py
"""

import math
import time
from typing import TYPE_CHECKING

from tidegate_hpa.capacity import Capacity
from tidegate_hpa.fleet import Delays
from tidegate_hpa.planning import default
from tidegate_hpa.simulation import simulate

if TYPE_CHECKING:
    from tidegate_hpa.autoscaler import Autoscaler

SECONDS = 24 * 3600
POD = Capacity(service_time_s=0.1, concurrency=2, cpu_s=0.05, cpu_request_m=1000)
ROUNDS = 3


def load(pods: int) -> list[float]:
    """Return a day whose peak takes so many pods at 80 % of their capacity."""
    peak = 0.8 * POD.throughput(pods)
    return [peak * (1.1 + math.sin(second * 2 * math.pi / SECONDS)) / 2.1 for second in range(SECONDS)]


def main() -> None:
    """Print the best of some rounds for each size."""
    for pods in (10, 100, 1000, 10_000):
        scaler: Autoscaler = default(60, 1, pods * 2)
        arrivals = load(pods)
        seconds = []
        for _ in range(ROUNDS):
            start = time.process_time()
            trajectory = simulate(arrivals, POD, Delays(pod_start_s=8, pod_start_spread=0.2), scaler, replicas=pods)
            seconds.append(time.process_time() - start)
        print(f"{max(trajectory.replicas):6d} pods at most: {min(seconds):.2f} s of CPU for 24 h")


if __name__ == "__main__":
    main()
