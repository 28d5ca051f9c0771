"""The table of models: providers, what they are called, and who answers for a name.

It is ``deployments/llm.yaml``; here is what it may say, and whether it makes sense.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from lib.domain.llm.dialects import Options
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.table_words import keep_alive_from, near, words_of
from lib.errors import Rejected

SUGGESTED = 3  # names at most
USD_PLACES = 12
Kind = Literal["ollama", "openai", "openrouter", "groq", "anthropic"]
Order = Literal["listed", "price", "latency"]
Gives = Literal["words", "vectors", "transcripts"]
HEARING: tuple[Kind, ...] = ("groq", "openai", "openrouter")  # kinds that take recordings
Usd = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
KeepAlive = Annotated[str | int | None, BeforeValidator(keep_alive_from)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Timeouts(_Strict):
    """Seconds until a try is given up: the connection, the first token, the whole answer."""

    connect: Seconds = 5.0
    first_token: Seconds = 60.0
    total: Seconds = 600.0


class Provider(_Strict):
    """A server that has models.

    Attributes:
        kind: the dialect it speaks.
        base_url: as its own SDK takes it.
        credential: the block with its key; None: it asks for none.
        egress: the way out: ``direct``, or the name of an egress block (proxy, DNS server).
        at_once: calls at a time over all processes; None: as many as come.
        queue: calls that may wait for a place.
        queue_s: how long one waits for it.
        tries: of one call at this provider, before the first token.
        probe: whether the probe asks for a token: ``loaded`` where Ollama has the model in memory.
    """

    kind: Kind
    base_url: str = Field(pattern=r"^https?://[^\s]+$")
    credential: str | None = None
    egress: str = "direct"
    at_once: int | None = Field(default=None, ge=1, le=1000)
    queue: int = Field(default=64, ge=0, le=10_000)
    queue_s: Seconds = 120.0
    tries: int = Field(default=2, ge=1, le=5)
    timeouts: Timeouts = Timeouts()
    probe: Literal["always", "loaded", "never"] = "always"


class Price(_Strict):
    """US dollars for a million tokens; what a provider reports itself counts over it.

    Attributes:
        hour: for an hour of a recording, whatever it has of tokens.
    """

    input: Usd = Decimal(0)
    output: Usd = Decimal(0)
    cached: Usd | None = None
    hour: Usd = Decimal(0)

    def of(self, prompt: int, cached: int, completion: int, sound_s: float = 0.0) -> Decimal:
        """Dollars for a call; ``cached`` is a part of ``prompt``, ``sound_s`` a recording's."""
        cheap = self.input if self.cached is None else self.cached
        fresh = max(prompt - cached, 0)
        tokens = (fresh * self.input + cached * cheap + completion * self.output) / 1_000_000
        return tokens + round(Decimal(str(sound_s)) * self.hour / 3600, USD_PLACES)


class Candidate(_Strict):
    """A model of a provider that may answer for an alias; see `Options` for what it may set.

    Attributes:
        limit_mb: the largest recording that it takes; None: what is known of its provider.
    """

    provider: str
    model: str = Field(min_length=1)
    num_ctx: int | None = Field(default=None, ge=256)
    keep_alive: KeepAlive = None
    think: bool | Literal["low", "medium", "high"] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    limit_mb: int | None = Field(default=None, ge=1, le=1000)
    temperature: bool = True
    extra: dict[str, Any] | None = None
    price: Price | None = None
    retires: date | None = None

    @property
    def options(self) -> Options:
        """What the provider's dialect has to know."""
        return Options(
            self.num_ctx, self.keep_alive, self.think, self.max_tokens, self.temperature, self.extra
        )

    @property
    def name(self) -> str:
        """``provider/model``, as in logs and errors."""
        return f"{self.provider}/{self.model}"


class Alias(_Strict):
    """A name that tools ask for, and who may answer for it, the first choice first.

    Attributes:
        order: by what candidates are ordered: as listed here, by price, or by latency.
        embeds: they give vectors, and no words.
        hears: they write down recordings, and say nothing else.
    """

    candidates: tuple[Candidate, ...] = Field(min_length=1)
    order: Order = "listed"
    embeds: bool = False
    hears: bool = False
    about: str = ""

    @property
    def gives(self) -> Gives:
        """What is asked of it."""
        return "transcripts" if self.hears else "vectors" if self.embeds else "words"


class Table(_Strict):
    """The whole table.

    Attributes:
        models: whether a key may name a real model, ``provider/model`` or its bare id: any of the
            providers listed here.
        cache_s: how long the same question at temperature 0, or embedding, has the same answer;
            0: never.
        permissions: what a tool's key may ask for, by its name, instead of what it was made with;
            see `lib.domain.llm.names`.
    """

    providers: dict[str, Provider] = Field(min_length=1)
    aliases: dict[str, Alias] = Field(min_length=1)
    models: tuple[str, ...] = ()
    cache_s: float = Field(default=86_400, ge=0)
    permissions: dict[str, tuple[str, ...]] = {}

    @model_validator(mode="after")
    def _names_exist(self) -> Table:
        for name, alias in self.aliases.items():
            for candidate in alias.candidates:
                _known(candidate.provider, self.providers, f"alias {name!r}: no provider")
            if alias.hears:
                _check_hears(name, alias, self.providers)
        for provider in self.models:
            _known(provider, self.providers, "models: no provider")
        for key, names in self.permissions.items():
            for name in names:
                if name.endswith("/*"):
                    _known(name[:-2], self.models, f"permissions.{key}: `models` has no")
                elif name != "*" and "/" not in name:
                    _known(name, self.aliases, f"permissions.{key}: no alias")
        return self


_FIELDS = {
    name
    for model in (Table, Alias, Candidate, Price, Provider, Timeouts)
    for name in model.model_fields
}


class UnknownModel(Rejected):
    """Neither an alias nor a real model that may be asked for."""


def table_from(said: object) -> Table:
    """The table of a YAML document.

    Raises:
        Rejected: it makes no sense; one line says where and what.
    """
    try:
        return Table.model_validate(said)
    except ValidationError as exc:
        raise Rejected(words_of(exc.errors()[0], _FIELDS)) from None


def candidates_for(table: Table, name: str) -> Alias:
    """Who may answer for an alias, or for a real model by its name.

    Raises:
        UnknownModel: nobody; the message has the names that are near.
    """
    if (alias := table.aliases.get(name)) is not None:
        return alias
    if not name.isprintable():  # it goes into a header, a log and a URL
        raise UnknownModel(f"no model {name!r}: a name has no control characters")
    if (listed := _listed(table, name)) is not None:
        return Alias(candidates=(listed,))
    provider, _, model = name.partition("/")
    if model and provider in table.models:
        return Alias(candidates=(Candidate(provider=provider, model=model),))
    raise UnknownModel(f"no model {name!r}: {near(name, table.aliases)}")


_NO = {"vectors": "makes no vectors", "transcripts": "hears no recordings"}
_ONLY = {"vectors": "makes vectors only", "transcripts": "hears recordings only"}
_DOES = {"words": "says words", "vectors": "makes vectors", "transcripts": "hears"}


def check_gives(table: Table, name: str, wanted: Gives) -> None:
    """Raise NotForThisModel where an alias gives something else than what is wanted.

    Of a real model nobody here knows which it gives: its provider says.
    """
    alias = table.aliases.get(name)
    if alias is None or alias.gives == wanted:
        return
    others = [f"`{other}`" for other, found in table.aliases.items() if found.gives == wanted]
    told = f"`{name}` {_NO[wanted] if alias.gives == 'words' else _ONLY[alias.gives]}"
    if not others:
        raise NotForThisModel(f"{told}, and no alias of the table {_DOES[wanted]}")
    raise NotForThisModel(f"{told}: ask {' or '.join(others[:SUGGESTED])}")


def _listed(table: Table, name: str) -> Candidate | None:
    """The candidate whose real id this is, if real ids may be asked for at its provider."""
    found = [
        candidate
        for alias in table.aliases.values()
        for candidate in alias.candidates
        if candidate.provider in table.models and name in (candidate.model, candidate.name)
    ]
    # One with a price, if there is: a budget has to count it.
    priced = [candidate for candidate in found if candidate.price is not None]
    return next(iter(priced or found), None)


def _check_hears(name: str, alias: Alias, providers: Mapping[str, Provider]) -> None:
    if alias.embeds:
        raise ValueError(f"alias {name!r}: `embeds` and `hears` are two things: make two aliases")
    for candidate in alias.candidates:
        kind = providers[candidate.provider].kind
        if kind not in HEARING:
            raise ValueError(
                f"alias {name!r} hears, and {candidate.provider!r} is of kind {kind}, which takes"
                f" no recordings: name a provider of kind {', '.join(HEARING)}"
            )


def _known(name: str, known: Collection[str], what: str) -> None:
    if name not in known:
        raise ValueError(f"{what} {name!r}: {near(name, known)}")
