"""Results for people: one page of tables and curves over runs, one page to read trajectories.

`runs` reads what runs wrote, `tables` lays it out, `writers` and `page` write it down, `view` is the trajectory viewer.
Nothing here runs an episode. Whatever comes from a model or a corpus is untrusted text and is escaped where it is
written.
"""
