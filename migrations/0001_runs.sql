-- What the agent did and what it has to remember between two starts.
-- Times are UTC milliseconds since 1970, as everywhere.

-- One row: the present session, and whether the last one came to its end.
create table session (
    id           integer primary key check (id = 1),
    version      text    not null,
    opened_at    integer not null,
    last_seen_at integer not null,
    ended_at     integer
) strict;

-- Switches a person has thrown, each with the time: `halted`.
create table flags (
    name   text    primary key,
    set_at integer not null
) strict, without rowid;

-- How far each job's schedule is dealt with: what was due up to here has run, or was skipped on purpose.
create table jobs_state (
    job          text    primary key,
    planned_from integer not null
) strict, without rowid;

-- Every run. The unique key makes it impossible to run one due time twice, whoever restarts.
create table runs (
    run_id      integer primary key autoincrement,
    job         text    not null,
    kind        text    not null,
    account     text,
    due_at      integer not null,
    started_at  integer not null,
    finished_at integer,
    trigger     text    not null,
    outcome     text,
    error_type  text,
    message     text,
    requests    integer not null default 0,
    counts      text    not null default '{}',
    unique (job, due_at)
) strict;
create index runs_by_job on runs (job, run_id);
create index runs_left_open on runs (run_id) where finished_at is null;

-- What a person has to know, since when, and how it ended.
create table problems (
    code      text    not null,
    subject   text    not null,
    severity  text    not null,
    title     text    not null,
    since     integer not null,
    fix       text    not null,
    closed_at integer,
    primary key (code, subject)
) strict, without rowid;
