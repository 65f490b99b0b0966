"""Posts to a server by the engine at a rate, and prints its account as JSON; latencies are from the intended time.

python benchmarks/generator/engine_posts.py URL RATE SECONDS
"""

import json
import secrets
import sys
from dataclasses import asdict

import numpy as np
import uvloop

import and_gate
from tidegate_proof.engine.account import Account
from tidegate_proof.engine.columns import Columns
from tidegate_proof.engine.generator import NS, Generator
from tidegate_proof.engine.payload import Payload
from tidegate_proof.engine.target import Target
from tidegate_proof.knee.offering import quantile
from tidegate_proof.record.plan import GeneratorLimits
from tidegate_proof.record.requests import ABSENT

WARM_UP_S = 1
BODY = b'{"instances": [[5.0, 6.0]]}'


def judge(answer: bytes) -> str:
    """Say what is wrong with an answer."""
    return and_gate.wrong([(5.0, 6.0)], json.loads(answer)["predictions"])


def poisson(rate: float, seconds: float, seed: int) -> list[int]:
    """Draw arrivals, in ns; their bursts are harder on a generator than even steps."""
    source = np.random.default_rng(seed)
    times: list[int] = (np.sort(source.uniform(0, seconds, source.poisson(rate * seconds))) * NS).astype(int).tolist()
    return times


def main(url: str, rate: float, seconds: float) -> dict[str, object]:
    """Offer a rate for so long, after a warm-up."""
    columns = Columns(poisson(rate, WARM_UP_S + seconds, seed=1), f"bench-{secrets.token_hex(4)}")
    generator = Generator(Target.of(url), [Payload(BODY, judge)], columns)
    uvloop.run(generator.run())
    account = Account.of(columns, generator.looks, WARM_UP_S * NS)
    done = columns.requests()
    counted = done.intended_ns >= WARM_UP_S * NS
    right = counted & (done.error == 0) & (done.answered_ns != ABSENT)
    latency_ns = np.sort((done.answered_ns - done.intended_ns)[right])
    return {
        "offered": rate,
        "rate": int(right.sum()) / seconds,
        "failed": int(counted.sum() - right.sum()),
        "p50_ns": quantile(latency_ns, 0.5, account.arrivals),
        "p99_ns": quantile(latency_ns, 0.99, account.arrivals),
        "account": asdict(account),
        "faults": account.faults(GeneratorLimits()),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))) + "\n")
