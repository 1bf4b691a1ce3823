-- The stock as the marketplaces show it.

-- Each reading of an account's whole stock.
create table snapshots (
    snapshot_id integer primary key autoincrement,
    account     text    not null,
    run_id      integer,
    started_at  integer not null,
    finished_at integer,
    complete    integer not null default 0,
    rows        integer not null default 0,
    complaints  integer not null default 0
) strict;
create index snapshots_by_account on snapshots (account, snapshot_id);

-- The listings as last seen. A row is written only when it changes. `changed_at` and `snapshot_id` are of the last
-- change of what is offered; copies coming into carts and leaving them do not count.
create table listings (
    account         text    not null,
    listing_id      integer not null,
    sku             text    not null,
    title           text    not null,
    quantity        integer not null,
    in_carts        integer not null,
    price_minor     integer not null,
    currency        text    not null,
    attributes      text    not null,
    first_seen_at   integer not null,
    changed_at      integer not null,
    snapshot_id     integer not null,
    primary key (account, listing_id)
) strict;
create index listings_in_carts on listings (account, listing_id) where in_carts <> 0;

-- What became of each listing, and which reading noticed: op is `add`, `quantity`, `price` or `remove`.
create table listing_history (
    entry_id           integer primary key,
    account            text    not null,
    listing_id         integer not null,
    at                 integer not null,
    snapshot_id        integer not null,
    op                 text    not null,
    before_quantity    integer,
    before_price_minor integer,
    after_quantity     integer,
    after_price_minor  integer
) strict;
