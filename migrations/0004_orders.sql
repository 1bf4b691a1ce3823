-- Orders and what they took from the shelf. Nobody's name and address is kept: nothing here needs them.

-- An order as last read; `was_state` is the state before its last change.
create table orders (
    account         text    not null,
    order_id        integer not null,
    state           text    not null,
    placed_at       integer,
    paid_at         integer,
    currency        text    not null,
    total_minor     integer not null,
    tracking_number text,
    first_seen_at   integer not null,
    changed_at      integer not null,
    was_state       text,
    primary key (account, order_id)
) strict, without rowid;
create index orders_by_state on orders (account, state);

-- What was bought. Lines are never deleted, also when a later reading does not show them.
create table order_lines (
    account          text    not null,
    order_id         integer not null,
    line_id          integer not null,
    sku              text    not null,
    listing_id       integer not null,
    title            text    not null,
    quantity         integer not null,
    unit_price_minor integer not null,
    primary key (account, order_id, line_id),
    foreign key (account, order_id) references orders (account, order_id)
) strict, without rowid;

-- What went off the shelf and came back: recorded once, never edited. The sum of a line's movements is what
-- the agent has accounted for, so that reading an order again adds nothing.
create table stock_movements (
    movement_id integer primary key,
    account     text    not null,
    order_id    integer not null,
    line_id     integer not null,
    seq         integer not null,
    sku         text    not null,
    delta       integer not null,
    reason      text    not null,
    run_id      integer not null,
    recorded_at integer not null,
    unique (account, order_id, line_id, seq),
    foreign key (account, order_id, line_id) references order_lines (account, order_id, line_id)
) strict;

-- When each list of orders was last read to its end.
create table poll_cursors (
    account text    not null,
    feed    text    not null,
    read_at integer not null,
    primary key (account, feed)
) strict, without rowid;
