"""Scores of leads in Bitrix24: two user fields, and a comment in the timeline.

Source: crm.item.update, crm.timeline.comment.* of b24restdocs, 2026-08.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lib.clients.bitrix import BATCH_LENGTH, Bitrix, Command, EntityType, by_key
from lib.domain.score_news import (
    BAND_WORDS,
    Untold,
    commented_band,
    is_news,
    score_comment,
)
from lib.errors import PotokError

A_REQUEST = BATCH_LENGTH // 2  # a field and a comment each


@dataclass(frozen=True, slots=True)
class ScoreFields:
    """What the portal's user fields are called, as in ``UF_CRM_POTOK_SCORE``."""

    score: str
    band: str


class BitrixScores:
    """Writes scores into one portal."""

    def __init__(self, bitrix: Bitrix, fields: ScoreFields) -> None:
        self._bitrix = bitrix
        self._fields = fields

    async def tell(self, untold: Sequence[Untold]) -> dict[int, PotokError | None]:
        """Write up to ``A_REQUEST`` scores; safe to repeat, also after a lost answer.

        Returns:
            By our lead: None where the CRM has it now, else why not; NotFound: it is gone there.

        Raises:
            AnswerLost: some of it may have happened.
            PotokError: the whole request failed.
        """
        known = await self._bands_there([each for each in untold if each.is_in_doubt])
        errors: dict[int, PotokError | None] = dict.fromkeys(each.lead_id for each in untold)
        there = [each for each in untold if not isinstance(known.get(each.lead_id), PotokError)]
        errors |= {n: error for n, error in known.items() if isinstance(error, PotokError)}
        commands = [c for each in there for c in self._commands(each, known.get(each.lead_id))]
        if commands:
            answer = await self._bitrix.batch(commands, write=True)
            for key, error in answer.errors.items():
                errors[int(key.partition("|")[2])] = error
        return errors

    def _commands(self, each: Untold, found: Any) -> Iterator[Command]:
        fields = {self._fields.score: each.score, self._fields.band: BAND_WORDS[each.band]}
        yield Command(
            f"score|{each.lead_id}",
            "crm.item.update",
            {
                "entityTypeId": int(EntityType.LEAD),
                "id": each.crm_id,
                "fields": fields,
                "useOriginalUfNames": "Y",
            },
        )
        if is_news(found or each.band_before, each.band):
            note = {
                "ENTITY_ID": each.crm_id,
                "ENTITY_TYPE": "lead",
                "COMMENT": score_comment(each.score, each.band, each.reasons),
            }
            yield Command(f"band|{each.lead_id}", "crm.timeline.comment.add", {"fields": note})

    async def _bands_there(self, lost: Sequence[Untold]) -> dict[int, str | PotokError | None]:
        """The band that the newest of our comments there says."""
        if not lost:
            return {}
        answer = await self._bitrix.batch([_timeline(each) for each in lost], write=False)
        found: dict[int, str | PotokError | None] = {}
        for each in lost:
            key = f"timeline|{each.lead_id}"
            error = answer.errors.get(key)
            found[each.lead_id] = error or _newest_band(answer.results.get(key))
        return found


def _timeline(each: Untold) -> Command:
    asked: Mapping[str, Any] = {
        "filter": {"ENTITY_ID": each.crm_id, "ENTITY_TYPE": "lead"},
        "order": {"ID": "DESC"},
        "select": ["ID", "COMMENT"],
    }
    return Command(f"timeline|{each.lead_id}", "crm.timeline.comment.list", asked)


def _newest_band(notes: Any) -> str | None:
    said = (commented_band(str(by_key(note).get("COMMENT"))) for note in by_key(notes).values())
    return next((band for band in said if band), None)
