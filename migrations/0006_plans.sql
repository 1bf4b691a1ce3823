-- What was planned, and what became of each part of it.

-- Whether a request may have changed something: a POST that only asks does not.
alter table requests add column writes integer not null default 0;
update requests set writes = 1 where method <> 'GET';

-- A plan never changes once it is made; only its state does. `guards`, `summary`, `source` and `accepted` are JSON.
create table plans (
    plan_id       integer primary key autoincrement,
    job           text    not null,
    account       text    not null,
    made_by       integer not null,
    created_at    integer not null,
    expires_at    integer not null,
    base_snapshot integer,
    undo_of       integer,
    source        text    not null,
    guards        text    not null,
    summary       text    not null,
    state         text    not null default 'planned',
    accepted      text    not null default '[]',
    applied_by    integer
) strict;
create index plans_by_job on plans (job, plan_id);

-- The changes of a plan, and what became of each: `before` and `after` are offers in JSON. A change that was sent and
-- has no answer stays `sent` until a read has shown what it did, and nothing else of its item leaves before that.
create table intents (
    intent_id      integer primary key autoincrement,
    plan_id        integer not null references plans (plan_id),
    seq            integer not null,
    account        text    not null,
    op             text    not null,
    sku            text    not null,
    listing_id     integer,
    title          text    not null,
    before         text,
    after          text,
    reason         text    not null,
    base_net       integer not null default 0,
    state          text    not null default 'planned',
    run_id         integer,
    request_id     integer,
    sent_at        integer,
    settled_at     integer,
    message        text,
    new_listing_id integer,
    unique (plan_id, seq)
) strict;
create index intents_in_doubt on intents (account, intent_id) where state in ('sent', 'parked');
create index intents_pending on intents (account, intent_id) where state = 'pending';
-- A new number of a listing goes to its other changes of the same plan.
create index intents_by_listing on intents (plan_id, listing_id) where state = 'pending';
create index intents_by_run on intents (run_id) where run_id is not null;

-- What a plan leaves as it is, and why.
create table plan_held (
    plan_id    integer not null references plans (plan_id),
    seq        integer not null,
    sku        text    not null,
    listing_id integer,
    reason     text    not null,
    detail     text    not null,
    primary key (plan_id, seq)
) strict, without rowid;

-- Accounts whose writes wait for a person, since a write came out as nobody expected. `arithmetic` shows why.
create table parked (
    account    text    primary key,
    since      integer not null,
    arithmetic text    not null
) strict, without rowid;

-- Jobs that a person has let write, although their file says `observe`.
create table promotions (
    job         text    primary key,
    promoted_at integer not null
) strict, without rowid;

-- What was sold of a thing since its listing was read is the difference of two sums.
create index stock_movements_by_sku on stock_movements (account, sku);

-- Which readings are acted upon: `sound` ones. `digest` tells whether two showed the same listings, and `believed_at`
-- is when a person confirmed that the shop really is as empty as one shows it.
alter table snapshots add column digest integer not null default 0;
alter table snapshots add column sound integer not null default 0;
alter table snapshots add column believed_at integer;
update snapshots set sound = complete;
