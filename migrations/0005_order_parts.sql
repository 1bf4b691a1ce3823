-- What a line of an order said of it when it was last read by itself, where a marketplace shows lines one by one: its
-- own state, dates and share of the total. The order is what its parts add up to.
create table order_parts (
    account         text    not null,
    order_id        integer not null,
    line_id         integer not null,
    state           text    not null,
    placed_at       integer,
    paid_at         integer,
    currency        text    not null,
    total_minor     integer not null,
    tracking_number text,
    primary key (account, order_id, line_id),
    foreign key (account, order_id, line_id) references order_lines (account, order_id, line_id)
) strict, without rowid;
