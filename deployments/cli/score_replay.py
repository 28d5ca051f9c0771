"""Other rules on every stored lead, beside the rules of now: what would move, and a picture."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from deployments.cli.store import opened
from deployments.settings import Settings
from lib.domain.scoring import Band, Rules, score_of
from lib.domain.scoring_features import features_of
from lib.pictures import Picture
from lib.store.scores import Scores

EXAMPLES = 10


@dataclass(slots=True)
class Replay:
    """What two sets of rules say of the same leads at the same moment.

    Attributes:
        before, after: scores, in the order of the leads.
        moves: leads by their two bands.
        examples: a few that would move: lead, band now, band then.
    """

    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    moves: Counter[tuple[Band, Band]] = field(default_factory=Counter)
    examples: list[tuple[int, Band, Band]] = field(default_factory=list)

    @property
    def leads(self) -> int:
        """How many there are."""
        return len(self.before)

    @property
    def moved(self) -> int:
        """How many would change band."""
        return sum(count for (before, after), count in self.moves.items() if before != after)


async def replayed(settings: Settings, ours: Rules, tried: Rules) -> Replay:
    """Score every stored lead by both rules, as of now."""
    found, now = Replay(), datetime.now(UTC)
    async with opened(settings) as database:
        async for page in Scores(database).all_facts(only_open=False):
            for facts in page:
                features = features_of(facts, now)
                before, after = score_of(features, ours), score_of(features, tried)
                found.before.append(before.score)
                found.after.append(after.score)
                found.moves[before.band, after.band] += 1
                if before.band != after.band and len(found.examples) < EXAMPLES:
                    found.examples.append((facts.lead_id, before.band, after.band))
    return found


def drawn(found: Replay, ours: Rules, tried: Rules) -> bytes:
    """A histogram of both, with the bands' borders; a PNG."""
    picture = Picture(f"{found.moved} of {found.leads} leads would change band")
    borders = {
        f"{name}, {whose}": border
        for whose, rules in (("now", ours), ("tried", tried))
        for name, border in (("hot", rules.bands.hot), ("warm", rules.bands.warm))
    }
    same = ours.bands == tried.bands
    lines = {"hot": ours.bands.hot, "warm": ours.bands.warm} if same else borders
    picture.histogram("Leads by score", {"now": found.before, "tried": found.after}, lines)
    return picture.png()
