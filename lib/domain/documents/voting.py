"""What a line says when two engines read it: word by word, whoever is surer and makes more sense.

Confidence is not enough. An engine without Cyrillic is sure of look-alikes; whoever reads words
of both scripts in one has misread a letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from lib.domain.documents.aligning import Group
from lib.domain.documents.pages import Box, JoinedLine, Line, around, rows_of
from lib.domain.documents.scripts import cyrillic_share, folded, has_cyrillic, has_letters, is_mixed

LONGEST_WORDS = 400  # of one place; of more the whole of one engine is taken
MIXED_COSTS = 0.5
FOREIGN_COSTS = 0.2
BLIND_COSTS = 0.2  # of an engine that reads a line of Cyrillic without it: it loses Latin ones, too
ALONE_FROM, MARK_ALONE_FROM = 0.4, 0.75  # a word, a mark that only one engine sees
DOUBTFUL_BELOW = 0.6
SUREST = 0.999

_HAS_SENSE = re.compile(r"[^\W_]")
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, and the number of its line among those of its engine."""

    text: str
    confidence: float
    line: int


@dataclass(frozen=True, slots=True)
class _Side:
    engine: str
    lines: tuple[Line, ...]
    tokens: tuple[Token, ...]
    is_blind: bool  # has no Cyrillic

    @property
    def text(self) -> str:
        return " ".join(token.text for token in self.tokens)


def voted(group: Group, blind: frozenset[str]) -> list[JoinedLine]:
    """The lines of one place as its engines together read them.

    Args:
        group: of one engine or two.
        blind: the engines that have no Cyrillic.

    Returns:
        At least one line for each place; where one engine cuts the row finer, as it does.
    """
    sides = [_side(engine, lines, engine in blind) for engine, lines in sorted(group.items())]
    if len(sides) == 1:
        return [_alone(sides[0], line) for line in sides[0].lines]
    one, other = sides
    frame = max(sides, key=lambda side: (len(side.lines), not side.is_blind, side.engine))
    chosen, is_doubtful = _chosen(one, other, frame)
    raw = {side.engine: side.text for side in sides}
    found = [
        _line(line.box, [token for token in chosen if token.line == number], raw, is_doubtful)
        for number, line in enumerate(frame.lines)
    ]
    return [line for line in found if line.text] or [
        _line(around(line.box for line in frame.lines), frame.tokens, raw, True)
    ]


def _side(engine: str, lines: Sequence[Line], is_blind: bool) -> _Side:
    ordered = tuple(line for row in rows_of(lines) for line in row)
    tokens = tuple(
        token for number, line in enumerate(ordered) for token in _tokens_of(line, number)
    )
    return _Side(engine, ordered, tokens, is_blind)


def _tokens_of(line: Line, number: int) -> Iterator[Token]:
    if line.words:
        return (Token(word.text, word.confidence, number) for word in line.words)
    return (Token(text, line.confidence, number) for text in line.text.split())


def _alone(side: _Side, line: Line) -> JoinedLine:
    return JoinedLine(
        box=line.box,
        text=line.text,
        confidence=line.confidence,
        words=line.words,
        raw={side.engine: line.text},
        is_doubtful=line.confidence < DOUBTFUL_BELOW,
    )


def _line(box: Box, tokens: Sequence[Token], raw: dict[str, str], is_doubtful: bool) -> JoinedLine:
    sure = sum(token.confidence for token in tokens) / len(tokens) if tokens else 0.0
    text = " ".join(token.text for token in tokens)
    return JoinedLine(
        box=box,
        text=text,
        confidence=min(sure, SUREST),
        raw=raw,
        is_doubtful=is_doubtful or sure < DOUBTFUL_BELOW,
    )


def _chosen(one: _Side, other: _Side, frame: _Side) -> tuple[list[Token], bool]:
    """The words that win, each in a line of the frame; and whether sense was at stake."""
    if max(len(one.tokens), len(other.tokens)) > LONGEST_WORDS:
        better = max((one, other), key=lambda side: (_worth(side.tokens, "", side), side.engine))
        return (list(frame.tokens) if better is frame else _framed(better.tokens, 0)), True
    matcher = SequenceMatcher(
        None,
        [folded(token.text) for token in one.tokens],
        [folded(token.text) for token in other.tokens],
        autojunk=False,
    )
    chosen: list[Token] = []
    is_doubtful = False
    for _, from_one, to_one, from_other, to_other in matcher.get_opcodes():
        for ours, theirs in _paired(one.tokens[from_one:to_one], other.tokens[from_other:to_other]):
            winner = _winner(ours, theirs, one, other)
            at = ours if frame is one else theirs
            place = at[0].line if at else (chosen[-1].line if chosen else 0)
            won = ours if winner is one else theirs
            if [token.text for token in ours] == [token.text for token in theirs]:
                won = _agreed(ours, theirs)
            else:
                digits_alone = one.is_blind or other.is_blind
                is_doubtful |= _sense(ours, digits_alone) != _sense(theirs, digits_alone)
            chosen += won if at is won else _framed(won, place)
    return chosen, is_doubtful


def _paired(
    ours: Sequence[Token], theirs: Sequence[Token]
) -> Iterator[tuple[Sequence[Token], Sequence[Token]]]:
    """Word against word where there are as many, else all against all."""
    if len(ours) == len(theirs):
        return (([one], [other]) for one, other in zip(ours, theirs, strict=True))
    return iter([(ours, theirs)])


def _agreed(ours: Sequence[Token], theirs: Sequence[Token]) -> list[Token]:
    return [
        Token(one.text, 1 - (1 - one.confidence) * (1 - other.confidence), one.line)
        for one, other in zip(ours, theirs, strict=True)
    ]


def _framed(tokens: Sequence[Token], place: int) -> list[Token]:
    return [Token(token.text, token.confidence, place) for token in tokens]


def _sense(tokens: Sequence[Token], digits_alone: bool) -> str:
    is_sense = str.isdigit if digits_alone else str.isalnum
    return "".join(char for token in tokens for char in token.text if is_sense(char))


def _winner(ours: Sequence[Token], theirs: Sequence[Token], one: _Side, other: _Side) -> _Side:
    """Whose words are believed; of two that are worth the same the one whose name is later."""
    if not ours or not theirs:
        side, silent, words = (one, other, ours) if ours else (other, one, theirs)
        return side if _is_believed_alone(words, side) else silent
    if _together(ours) == _together(theirs) and len(ours) != len(theirs):
        return one if len(ours) > len(theirs) else other  # spaces are lost more than invented
    if _bare(ours) == _bare(theirs) and len(_together(ours)) != len(_together(theirs)):
        return _marked(ours, theirs, one, other)
    worth_one = _worth(ours, _words(theirs), one), one.engine
    worth_other = _worth(theirs, _words(ours), other), other.engine
    return one if worth_one > worth_other else other


def _marked(ours: Sequence[Token], theirs: Sequence[Token], one: _Side, other: _Side) -> _Side:
    """Of two that differ in marks alone: a full stop is lost more than invented, but for noise."""
    is_longer = len(_together(ours)) > len(_together(theirs))
    long, short, words = (one, other, ours) if is_longer else (other, one, theirs)
    return long if min(token.confidence for token in words) >= MARK_ALONE_FROM else short


def _is_believed_alone(words: Sequence[Token], side: _Side) -> bool:
    if side.is_blind and not _words(words).isdigit():
        return False  # what it makes of letters that it does not know
    least = ALONE_FROM if _HAS_SENSE.search(_words(words)) else MARK_ALONE_FROM
    return sum(token.confidence for token in words) / len(words) >= least


def _worth(tokens: Sequence[Token], against: str, side: _Side) -> float:
    """How far words are believed; below 0 for an engine that cannot know them."""
    if side.is_blind and has_cyrillic(against):
        return -1.0
    text = _words(tokens)
    worth = sum(token.confidence for token in tokens) / len(tokens) if tokens else 0.0
    if side.is_blind and has_letters(text):
        worth -= BLIND_COSTS
    if is_mixed(text):
        worth -= MIXED_COSTS
    if folded(text) == folded(against) and has_cyrillic(text) != has_cyrillic(against):
        # It looks alike in both scripts: the words around it say which one is meant.
        share = cyrillic_share(side.text)
        worth -= FOREIGN_COSTS * ((1 - share) if has_cyrillic(text) else share)
    return worth


def _words(tokens: Sequence[Token]) -> str:
    return " ".join(token.text for token in tokens)


def _bare(tokens: Sequence[Token]) -> str:
    """Without marks before and behind it."""
    return _EDGES.sub("", _together(tokens))


def _together(tokens: Sequence[Token]) -> str:
    return "".join(token.text for token in tokens)
