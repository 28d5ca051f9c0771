"""what the CRM did to leads, their calls and scores, what people were reminded of"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UP = """
alter table leads
    add column crm_stage text,
    add column crm_state text,
    add column crm_changed_at timestamptz,
    add column crm_deleted_at timestamptz,
    add column answered_at timestamptz;
create index leads_open on leads (id) where crm_deleted_at is null
    and (crm_state is null or crm_state = 'open');
create index ix_leads_email on leads (email);
create table calls (
    id bigint primary key,
    call_id text,
    activity_id bigint,
    entity_type text,
    entity_id bigint,
    lead_id bigint references leads,
    phone text,
    direction text not null,
    outcome text not null,
    failed_code text,
    seconds integer not null,
    started_at timestamptz not null,
    seen_at timestamptz not null default clock_timestamp()
);
create index calls_lead on calls (lead_id, started_at);
create index calls_started on calls (started_at);
create table scores (
    lead_id bigint primary key references leads,
    score smallint not null,
    band text not null,
    rules text not null,
    inputs jsonb not null,
    reasons jsonb not null,
    scored_at timestamptz not null default clock_timestamp(),
    crm_score smallint,
    crm_band text
);
create table watermarks (
    name text primary key,
    at timestamptz not null
);
create table reminders (
    lead_id bigint not null references leads,
    reason text not null,
    told_at timestamptz not null default clock_timestamp(),
    primary key (lead_id, reason)
);
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("drop table reminders, watermarks, scores, calls")
    op.execute("drop index leads_open, ix_leads_email")
    for name in ("crm_stage", "crm_state", "crm_changed_at", "crm_deleted_at", "answered_at"):
        op.drop_column("leads", name)
