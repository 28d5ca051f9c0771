"""Where a lead belongs in the CRM: a new one, one that is there already, or nothing to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lib.domain.leads import LeadState

InCrm = Literal["no", "tried", "yes", "refused"]


@dataclass(frozen=True, slots=True)
class Words:
    """What a person wrote in one message.

    ``in_crm``: ``no``; ``tried``, when it was sent and no answer came; ``yes``; ``refused``.
    ``is_heard``: with what its recordings say, though the CRM may have it without.
    """

    ref: str
    at: datetime
    text: str
    in_crm: InCrm = "no"
    is_heard: bool = False

    @property
    def mark(self) -> str:
        """By what they are known in the CRM."""
        return f"{self.ref}:heard" if self.is_heard else self.ref


@dataclass(frozen=True, slots=True)
class Filing:
    """A lead as it is here, and the words that the CRM does not surely have yet."""

    lead: LeadState
    words: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What the CRM has on a lead.

    Attributes:
        own_ids: leads that carry our origin, the oldest first; more than one after a race there.
        open_ids: open leads with the same phone or e-mail, the oldest first.
        contact_id: a contact with the same phone or e-mail.
        company_id: a company with them.
        contacts: phones and e-mails that our lead there has already.
        commented: refs of words that are in its comment or on its timeline already.
    """

    own_ids: tuple[int, ...] = ()
    open_ids: tuple[int, ...] = ()
    contact_id: int | None = None
    company_id: int | None = None
    contacts: frozenset[str] = frozenset()
    commented: frozenset[str] = frozenset()


Action = Literal["add", "adopt", "link", "update", "none"]


@dataclass(frozen=True, slots=True)
class Placement:
    """What to do in the CRM for one lead.

    Attributes:
        action: ``add`` a lead; ``adopt`` ours that is there after a lost answer; ``link`` to a
            foreign one, whose fields stay as they are; ``update`` ours; ``none`` but comments.
        crm_id: the lead there; None for ``add``.
        contacts: phones and e-mails that are there already, and must not be appended again.
        comments: words for the timeline. Those of a new lead are in its own comment instead.
    """

    filing: Filing
    action: Action
    crm_id: int | None = None
    contact_id: int | None = None
    company_id: int | None = None
    contacts: frozenset[str] = frozenset()
    comments: tuple[Words, ...] = ()


def is_behind(lead: LeadState) -> bool:
    """Whether our lead in the CRM has older fields than ours here."""
    return lead.crm_id is not None and not lead.crm_linked and lead.crm_version < lead.version


def choose_placement(filing: Filing, known: Known) -> Placement:
    """Decide where a lead goes. Our own lead comes first, then an open one of the same person."""
    lead = filing.lead
    missing = tuple(w for w in filing.words if w.in_crm != "yes" and w.ref not in known.commented)
    if lead.crm_id is not None:
        action: Action = "update" if is_behind(lead) else "none"
        return Placement(filing, action, lead.crm_id, contacts=known.contacts, comments=missing)
    if known.own_ids:
        # It was added and the answer lost: what it was added with is in its own comment.
        own_id = known.own_ids[0]
        return Placement(filing, "adopt", own_id, contacts=known.contacts, comments=missing)
    if known.open_ids:
        return Placement(filing, "link", known.open_ids[0], comments=missing)
    return Placement(filing, "add", None, known.contact_id, known.company_id)


def without_twins(filings: Sequence[Filing]) -> tuple[list[Filing], list[Filing]]:
    """Split off those that share a phone or an e-mail with an earlier one.

    Returns:
        Those that can be looked up now, and those that must wait until the first are in the CRM.
    """
    seen: set[str] = set()
    first: list[Filing] = []
    later: list[Filing] = []
    for filing in filings:
        marks = {mark for mark in (filing.lead.phone, filing.lead.email) if mark}
        is_new = filing.lead.crm_id is None
        (later if is_new and marks & seen else first).append(filing)
        seen |= marks
    return first, later
