"""keys, calls, health and kept answers of the door to the models"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UP = """
create table llm_keys (
    id bigint generated always as identity primary key,
    name text not null,
    hash text not null unique,
    prefix text not null,
    names text[] not null,
    budget text,
    rpm integer,
    keeps_texts boolean not null default false,
    sees_usage boolean not null default false,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
create unique index llm_keys_living on llm_keys (name) where revoked_at is null;
create table llm_calls (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    key_id bigint references llm_keys,
    caller text not null,
    door text not null,
    alias text not null,
    provider text not null,
    model text not null,
    prompt_tokens bigint not null,
    cached_tokens bigint not null,
    completion_tokens bigint not null,
    price_usd numeric(14, 8),
    first_token_ms real,
    total_ms real not null,
    outcome text not null,
    status integer not null,
    reason text,
    tries jsonb,
    texts jsonb
);
create index llm_calls_at on llm_calls (at);
create index llm_calls_key on llm_calls (key_id, at);
create table llm_spend (
    key_id bigint not null references llm_keys,
    day date not null,
    usd numeric(16, 8) not null,
    calls bigint not null,
    primary key (key_id, day)
);
create unlogged table llm_rates (
    key_id bigint primary key,
    tokens double precision not null,
    taken double precision not null,
    at timestamptz not null
);
create table llm_health (
    provider text not null,
    model text not null,
    ok boolean not null,
    state text not null,
    reason text not null,
    first_token_ms real,
    price_in_usd numeric,
    price_out_usd numeric,
    retires_on date,
    checked_at timestamptz not null,
    primary key (provider, model)
);
create table llm_probes (
    at timestamptz not null,
    provider text not null,
    model text not null,
    state text not null,
    first_token_ms real
);
create index llm_probes_at on llm_probes (at);
create unlogged table llm_cache (
    key bytea primary key,
    value bytea not null,
    expires_at timestamptz not null
);
create index llm_cache_expires on llm_cache (expires_at);
"""
TABLES = "llm_cache, llm_probes, llm_health, llm_rates, llm_spend, llm_calls, llm_keys"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(f"drop table {TABLES}")
