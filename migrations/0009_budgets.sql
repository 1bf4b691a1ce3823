-- What an account's requests were for, and what was put off since they were used up.

-- The class of what anybody may see was called otherwise.
update requests set class = 'public' where class = 'market';

-- Requests that the marketplace counts, by its window, the job and the class; `job` is empty for what a person asked by
-- hand. Kept when the requests themselves are forgotten, so that days in a row can be told.
create table request_tally (
    account      text    not null,
    window_start integer not null,
    job          text    not null,
    class        text    not null,
    requests     integer not null,
    primary key (account, window_start, job, class)
) strict, without rowid;

-- Jobs whose run the window could not pay for: what it takes, and when the agent starts it by itself.
create table deferrals (
    job       text    primary key,
    account   text    not null,
    cost      integer not null,
    since     integer not null,
    starts_at integer not null
) strict, without rowid;
