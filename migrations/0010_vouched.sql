-- Whether something else of the account was answered since a closed resource was last refused: then one more refusal of
-- it says nothing about the account.
alter table closed_resources add column vouched integer not null default 0;
