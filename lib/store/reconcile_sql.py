"""The statements of ``lib.store.reconcile``. Rows come as one JSON."""

from __future__ import annotations

from sqlalchemy import text

SINCE = text("select at from watermarks where name = :name")

READ_TO = text(
    """
    insert into watermarks as old (name, at) values (:name, :at)
    on conflict (name) do update set at = greatest(old.at, excluded.at)
    """
)

NOTED = text(
    """
    select crm_id, bool_or(is_open or crm_linked) as followed,
      bool_or(is_open and answered_at is null and opened_at > now() - interval '30 days')
        as unanswered
    from (select *, crm_state is null or crm_state = 'open' as is_open from leads) l
    where crm_id is not null group by crm_id
    """
)

# Refused for good, or by a bug, a delivery would only be refused again.
_MAY_BE_SENT = """
    (d.state = 'done'
      or d.state = 'dead' and d.error ~ '^(Unavailable|RateLimited|AnswerLost|Denied):')
"""
_UNSAID = "m.lead_id is not null and m.in_crm in ('no', 'tried')"
_WAITING = "select person from deliveries where state in ('received', 'failed', 'claimed')"

HERE = text(
    f"""
    with unsaid as (
      select m.lead_id, array_agg(d.id order by d.id) filter (where {_MAY_BE_SENT}) as deliveries
      from lead_messages m left join deliveries d on d.id = m.delivery_id
      where {_UNSAID} group by m.lead_id
    )
    select l.id as lead_id, l.origin, l.opened_at, l.crm_id, l.crm_linked, l.crm_stage,
      l.crm_state, l.crm_changed_at, l.crm_deleted_at, l.answered_at,
      u.lead_id is not null as unsaid, coalesce(u.deliveries, array[]::bigint[]) as of_unsaid,
      (select d.id from lead_messages m join deliveries d on d.id = m.delivery_id
       where m.ref = l.origin and {_MAY_BE_SENT}) as opening,
      l.person = any(array({_WAITING})) as in_hands
    from leads l left join unsaid u on u.lead_id = l.id
    where l.crm_id = any(:crm_ids) or l.origin = any(:origins)
      or :behind and (u.lead_id is not null or l.crm_id is null)
    order by l.id
    """  # noqa: S608 — of our own words
)

LOCK = text("select id from leads where id = any(:ids) order by id for update")

LINK = text(
    """
    update leads l set crm_id = p.crm_id, crm_linked = false, crm_changed_at = null,
      crm_deleted_at = null, crm_at = coalesce(l.crm_at, clock_timestamp()),
      crm_version = case when exists (select from lead_messages m
        where m.lead_id = l.id and m.in_crm in ('no', 'tried')) then 0 else l.version end
    from jsonb_to_recordset(cast(:rows as jsonb)) as p(lead_id bigint, was bigint, crm_id bigint)
    where l.id = p.lead_id and l.crm_id is not distinct from p.was
    returning l.id
    """
)
DOUBT_WORDS = text(
    "update lead_messages set in_crm = 'tried' where lead_id = any(:ids) and in_crm = 'no'"
)

FORGET = text(
    """
    update leads l set crm_id = null, crm_version = 0, crm_linked = false, crm_changed_at = null,
      crm_deleted_at = clock_timestamp()
    from jsonb_to_recordset(cast(:rows as jsonb)) as p(lead_id bigint, crm_id bigint)
    where l.id = p.lead_id and l.crm_id = p.crm_id
    returning l.id
    """
)
UNSAY_WORDS = text(
    "update lead_messages set in_crm = 'no' where lead_id = any(:ids) and in_crm <> 'refused'"
)

ADOPT = text(
    """
    insert into leads (origin, source, person, name, phone, email, company, amount, currency,
      opened_at, last_message_at, read_by, version, crm_id, crm_version, crm_at, crm_stage,
      crm_state, crm_changed_at, answered_at)
    select origin, source, person, name, phone, email, company, amount,
      case when amount is not null then currency end, created_at, created_at, 'rules', 1, crm_id,
      1, clock_timestamp(), stage, state, changed_at, answered_at
    from jsonb_to_recordset(cast(:rows as jsonb)) as p(origin text, source text, person text,
      name text, phone text, email text, company text, amount numeric, currency text,
      created_at timestamptz, crm_id bigint, stage text, state text, changed_at timestamptz,
      answered_at timestamptz)
    on conflict (origin) do nothing returning origin
    """
)

CHANGE = text(
    """
    update leads l set crm_stage = p.stage, crm_state = p.state, crm_changed_at = p.changed_at,
      answered_at = coalesce(l.answered_at, p.answered_at)
    from jsonb_to_recordset(cast(:rows as jsonb)) as p(lead_id bigint, crm_id bigint, stage text,
      state text, changed_at timestamptz, answered_at timestamptz)
    where l.id = p.lead_id and l.crm_id = p.crm_id
      and (l.crm_changed_at is null or l.crm_changed_at <= p.changed_at)
    returning l.id
    """
)

RESEND = text(
    f"""
    update deliveries d set state = 'received', attempts = 0, batch_limit = null,
      batch_id = null, settled_at = null, due_at = clock_timestamp()
    where d.id = any(:ids) and {_MAY_BE_SENT} and d.person <> all(array({_WAITING}))
    returning d.id
    """  # noqa: S608 — of our own words
)
