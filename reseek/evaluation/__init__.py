"""Evaluation: a policy is asked sets of questions; every episode is kept, every number comes from kept episodes.

`runner` asks and appends `records`; `report` counts records and nothing else; `launch` puts a command together. The
episodes are the ones that training runs: nothing of the method is decided here.
"""
