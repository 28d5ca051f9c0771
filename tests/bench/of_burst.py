"""A burst of 1,000 messages from 1,000 people, the portal's limit being off."""

from __future__ import annotations

from tests.bench.bursts import lost_and_doubled, send_burst
from tests.bench.figures import Sample
from tests.bench.house import House
from tests.bench.measures import Options
from tests.bench.way import batch_line

MESSAGES = 1000
WITHIN_S = 180.0


async def measure(house: House, options: Options) -> Sample:
    """Until the last of them is in the CRM."""
    await house.until_quiet()
    await house.empty_portal()
    burst = await send_burst(house, MESSAGES, WITHIN_S)
    lost, doubled = lost_and_doubled(burst.people, await house.portal_leads())
    requests = sum((await house.portal_state())["requests"].values())
    last_sent_s = max(a.sent_at + a.took_ms / 1000 for a in burst.answers) - min(
        a.sent_at for a in burst.answers
    )
    return Sample(
        {
            "burst.leads_per_s": burst.leads_per_s,
            "burst.all_s": burst.all_s,
            "burst.hook_p99_ms": burst.hook_p99_ms,
            "burst.lost": lost,
            "burst.doubled": doubled,
        },
        [f"{burst.answered} of {MESSAGES} answered 200, the last after {last_sent_s:.1f} s",
         batch_line(burst.ways), f"{requests} requests to the portal"],
    )  # fmt: skip
