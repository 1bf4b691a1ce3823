-- What an account's requests were for, day by day.

-- The class of what anybody may see was called otherwise.
update requests set class = 'public' where class = 'market';
