"""The base class of the mixins over verl's trainers: any verl trainer to a type checker, `object` at run time.

A mixin overrides methods of whichever trainer follows it in a class's bases, so it can't name that trainer itself.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    VerlTrainer = Any
else:
    VerlTrainer = object
