-- Who may ask the marketplaces, how much, and what was asked.

-- Who works an account. Each take-over raises the epoch, so that a late owner finds out at its next request.
create table leases (
    account  text    primary key,
    owner    text    not null,
    epoch    integer not null,
    taken_at integer not null
) strict, without rowid;

-- Where an account stands with its marketplace. `since` is empty until something was asked.
create table accounts_access (
    account          text    primary key,
    state            text    not null default 'unknown',
    since            integer,
    reason           text    not null default '',
    next_probe_at    integer,
    reapply_on       text,
    clock_offset_ms  integer not null default 0,
    credentials_mark text,
    last_answer_at   integer
) strict, without rowid;

-- The window of requests an account is in: one row a kind, since a window only ever advances.
create table quota_windows (
    account      text    not null,
    kind         text    not null,
    window_start integer not null,
    used         integer not null,
    allowed      integer,
    primary key (account, kind)
) strict, without rowid;

-- Every request, written before it leaves: method and path template, never a query or a body.
create table requests (
    request_id  integer primary key,
    account     text    not null,
    epoch       integer not null,
    run_id      integer,
    method      text    not null,
    template    text    not null,
    class       text    not null,
    attempt     integer not null,
    state       text    not null default 'sent',
    sent_at     integer not null,
    settled_at  integer,
    status      integer,
    error_type  text,
    duration_ms integer,
    bytes       integer
) strict;
create index requests_by_run on requests (run_id) where run_id is not null;
create index requests_unanswered on requests (request_id) where state = 'sent';
