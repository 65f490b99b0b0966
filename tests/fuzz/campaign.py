"""Many cases against one gateway over a stub model server, and what was found."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from tests.fuzz.grammar import Case, make, request
from tests.fuzz.oracle import Heard, complaint, exchange
from tests.resilience.processes import Gateway, Stage, static

AT_ONCE = 16
GOOD = Case("good", request(b'{"instances":[[5,0]]}'))
GOOD_ANSWER = b'{"predictions":[[5.0,1.0]]}'
MAX_BODY_MB = "16"
GROWTH_BYTES = 150 * 2**20
"""How much memory a gateway may gain: some bodies of MAX_BODY_MB at once, parsed, and what the allocator keeps."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A case whose answer was wrong, and what was wrong with it."""

    case: Case
    complaint: str
    seed: int | None = None


@dataclass
class Campaign:
    """What was sent and found.

    Attributes:
        statuses: Answers by status; 0 for connections that were closed without one.
        kinds: Cases by kind.
        findings: What was wrong.
        growth_bytes: What the gateway's resident memory gained.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    growth_bytes: int = 0


async def start_gateway(stage: Stage) -> Gateway:
    """Start a gateway to be fuzzed."""
    server = await stage.model_server()
    return await stage.gateway(static(server), request_timeout_s="5", max_body_mb=MAX_BODY_MB)


async def attack(gateway: Gateway, seeds: range) -> Campaign:
    """Send the case of every seed, some at once, and check that the gateway stays well."""
    campaign = Campaign()
    await _warm_up(gateway)
    before = gateway.resident_bytes()
    left = iter(seeds)

    async def client() -> None:
        for seed in left:
            case = make(seed)
            said = await judge(gateway, case, campaign)
            if said:
                campaign.findings.append(Finding(case, said, seed))

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    campaign.growth_bytes = gateway.resident_bytes() - before
    campaign.findings += await aftermath(gateway, campaign)
    return campaign


async def judge(gateway: Gateway, case: Case, campaign: Campaign) -> str:
    """Send one case; gives what is wrong with its answer."""
    host, _, port = gateway.http.rpartition(":")
    campaign.kinds[case.kind] += 1
    try:
        heard = await exchange(host, int(port), case)
    except TimeoutError:
        return "neither an answer nor an end"
    except OSError as error:
        return f"cannot connect: {error}"
    campaign.statuses.update(heard.statuses or (0,))
    return complaint(case, heard)


async def aftermath(gateway: Gateway, campaign: Campaign) -> list[Finding]:
    """Check that the process lives, its memory is bounded, and a good request is answered right."""
    said: list[str] = []
    if gateway.process.poll() is not None:
        said.append(f"the gateway ended: {gateway.words()}")
    elif (heard := await good(gateway)).last_body != GOOD_ANSWER:
        said.append(f"a good request was answered {heard.statuses} {heard.last_body!r}")
    if campaign.growth_bytes > GROWTH_BYTES:
        said.append(f"memory grew by {campaign.growth_bytes / 2**20:.0f} MiB")
    if "Traceback" in gateway.log.read_text(errors="replace"):
        said.append(f"a traceback in the log: {gateway.words()}")
    return [Finding(GOOD, words) for words in said]


async def good(gateway: Gateway) -> Heard:
    """Send a request that must be answered right."""
    host, _, port = gateway.http.rpartition(":")
    return await exchange(host, int(port), GOOD)


async def _warm_up(gateway: Gateway) -> None:
    """Let the allocator take what it takes for a full body, so that growth means growth."""
    full = request(b"[" + b"0," * (int(MAX_BODY_MB) * 2**19 - 100) + b"0]")
    host, _, port = gateway.http.rpartition(":")
    await exchange(host, int(port), Case("good", full))
    await good(gateway)
