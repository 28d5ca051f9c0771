"""jobs of the speech service"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UP = """
create table speech_jobs (
    id uuid primary key,
    key_id bigint not null,
    idempotency_key text,
    client_ref text,
    wishes jsonb not null,
    source_url text,
    callback_url text,
    state text not null default 'queued',
    done_s real not null default 0,
    duration_s real,
    error text,
    transcript jsonb,
    created_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    callback text,
    callback_tries integer not null default 0,
    callback_due_at timestamptz,
    callback_error text,
    unique (key_id, idempotency_key)
);
create index speech_jobs_open on speech_jobs (created_at) where state in ('queued', 'running');
create index speech_jobs_callbacks on speech_jobs (callback_due_at) where callback = 'waiting';
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("drop table speech_jobs")
