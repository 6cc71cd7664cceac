"""Reports: one page of tables and curves over runs, one page to read trajectories.

`runs` reads the folders of runs, `tables` makes their tables, `writers` and `page` write them, `view` is the trajectory
viewer. Nothing here runs an episode. Text from a model or a corpus is untrusted and is escaped when it is written.
"""
