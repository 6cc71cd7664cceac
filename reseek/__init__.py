"""ReSeek: train, evaluate and study self-correcting search agents.

Rooms (see docs/architecture.md): `grammar`, `context`, `prompts`, `reward` are pure; `episode` is the one
state machine that training, evaluation and demos share; `policy`, `search`, `oracle` implement the small
protocols that `episode` states; `training` is the verl plug-in; `evaluation` and `report` measure.
Importing this package imports none of torch, verl, Ray or vLLM.
"""

__version__ = "0.1.0"
