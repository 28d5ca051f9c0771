"""A burst of 1,000 under Bitrix24's documented limit, in the sandbox and in Prefect."""

from __future__ import annotations

from tests.bench.bursts import lost_and_doubled, send_burst
from tests.bench.figures import Sample
from tests.bench.house import House
from tests.bench.measures import Options
from tests.bench.way import batch_line

MESSAGES = 1000
WITHIN_S = 300.0


async def measure(house: House, options: Options) -> Sample:
    """One burst with the bucket unused, and a second one right after, when it is used up."""
    await house.until_quiet()
    await house.empty_portal()
    first = await send_burst(house, MESSAGES, WITHIN_S)
    between = sum((await house.portal_state())["requests"].values())
    options.say(f"first 1,000: {first.leads_per_s:.1f} leads/s")
    second = await send_burst(house, MESSAGES, WITHIN_S)
    state = await house.portal_state()
    lost, doubled = lost_and_doubled(first.people + second.people, await house.portal_leads())
    return Sample(
        {
            "limited.leads_per_s": first.leads_per_s,
            "limited.next_leads_per_s": second.leads_per_s,
            "limited.refused": state["errors"].get("QUERY_LIMIT_EXCEEDED", 0),
            "limited.lost": lost,
            "limited.doubled": doubled,
        },
        [f"first: {batch_line(first.ways)}, {between} requests to the portal",
         f"second: {batch_line(second.ways)}, "
         f"{sum(state['requests'].values()) - between} requests to the portal"],
    )  # fmt: skip
