"""How promising a lead is: points by rules that are data, in ``scoring.yaml`` beside this file."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from lib.domain.scoring_features import FEATURES, Value, shown
from lib.errors import Rejected

Band = Literal["hot", "warm", "cold"]
BANDS: tuple[Band, ...] = ("hot", "warm", "cold")
HIGHEST = 100


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bands(_Strict):
    """The score from which on a lead is hot, or warm."""

    hot: int = Field(ge=1, le=HIGHEST)
    warm: int = Field(ge=1, le=HIGHEST)

    @model_validator(mode="after")
    def _are_in_order(self) -> Bands:
        if self.warm >= self.hot:
            raise ValueError("bands: warm must be below hot")
        return self

    def of(self, score: int) -> Band:
        """The band of a score."""
        return "hot" if score >= self.hot else "warm" if score >= self.warm else "cold"


class Rule(_Strict):
    """Points for what is true of a lead: its feature is one of ``is_``, or in the bounds."""

    feature: str
    weight: int = Field(ge=-HIGHEST, le=HIGHEST)
    reason: str = Field(min_length=1, max_length=200)
    is_: bool | tuple[str, ...] | None = Field(default=None, alias="is")
    at_least: float | None = Field(default=None, allow_inf_nan=False)
    at_most: float | None = Field(default=None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _makes_sense(self) -> Rule:
        kind = FEATURES.get(self.feature)
        if kind is None:
            near = difflib.get_close_matches(self.feature, FEATURES, 1)
            meant = f": is {near[0]} meant?" if near else f"; there are {', '.join(FEATURES)}"
            raise ValueError(f"there is no feature {self.feature!r}{meant}")
        bounds = [self.at_least, self.at_most]
        wanted = {bool: "is: true or false", str: "is: [words]", int: "at_least or at_most"}[kind]
        given = {
            bool: isinstance(self.is_, bool) and bounds == [None, None],
            str: isinstance(self.is_, tuple) and bounds == [None, None],
            int: self.is_ is None and bounds != [None, None],
        }[kind]
        if not given:
            raise ValueError(f"a rule on {self.feature} needs {wanted}, and no more")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"a rule on {self.feature}: at_least is above at_most")
        return self

    def fits(self, value: Value) -> bool:
        """Whether it is true of a feature's value; of what is not known nothing is."""
        if value is None:
            return False
        if isinstance(self.is_, bool):
            return value is self.is_
        if self.is_ is not None:
            return value in self.is_
        assert isinstance(value, int | float)
        is_enough = self.at_least is None or value >= self.at_least
        return is_enough and (self.at_most is None or value <= self.at_most)


class Rules(_Strict):
    """All rules. ``version`` is of the text they were read from."""

    start: int = Field(ge=0, le=HIGHEST)
    bands: Bands
    rules: tuple[Rule, ...]
    _version: str = PrivateAttr("")

    @property
    def version(self) -> str:
        """Tells two texts of rules apart."""
        return self._version


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that fits: its points, and why, in Russian."""

    points: int
    why: str

    def __str__(self) -> str:
        return f"{self.points:+d} {self.why}"


@dataclass(frozen=True, slots=True)
class Scored:
    """A score, 0 to 100, its band, and what it is made of."""

    score: int
    band: Band
    reasons: tuple[Reason, ...]


def rules_from(text: str) -> Rules:
    """Rules in YAML.

    Raises:
        Rejected: they make no sense; the message has a line for each thing that is wrong.
    """
    try:
        said = yaml.safe_load(text)
    # What PyYAML lets through: 2026-99-99, `!!bool x`, `!!int ""`, `!!timestamp x`, deep nesting.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as exc:
        raise Rejected(f"the rules are no YAML: {' '.join(str(exc).split())}") from None
    try:
        rules = Rules.model_validate(said)
    except ValidationError as exc:
        lines = [_line(error) for error in exc.errors()]
        raise Rejected("the rules make no sense:\n" + "\n".join(lines)) from None
    rules._version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return rules


def score_of(features: Mapping[str, Value], rules: Rules) -> Scored:
    """The score of a lead's features: ``start``, and the points of the rules that fit."""
    reasons = tuple(_reasons(features, rules))
    score = min(HIGHEST, max(0, rules.start + sum(reason.points for reason in reasons)))
    return Scored(score, rules.bands.of(score), reasons)


def _reasons(features: Mapping[str, Value], rules: Rules) -> Iterator[Reason]:
    decided: set[str] = set()
    for rule in rules.rules:
        value = features.get(rule.feature)
        if rule.feature not in decided and rule.fits(value):
            decided.add(rule.feature)
            yield Reason(rule.weight, rule.reason.replace("{value}", shown(rule.feature, value)))


def _line(error: Any) -> str:
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in error["loc"])
    return f"  {place or 'the file'}: {error['msg'].removeprefix('Value error, ')}"
