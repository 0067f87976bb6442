"""A module that can be called like the function it is named after.

`scalebridge.homogenize` is a folder of the package and its main verb. Importing anything from it binds
the folder's module to that name, whatever stood there before; so the module itself answers the call.
"""

from __future__ import annotations

import sys
import types
from typing import Any


class _CallableModule(types.ModuleType):
    """Calls the member of the same name as the module."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])(*arguments, **options)


def make_callable(module_name: str) -> None:
    """Calling the module `module_name` from now on calls its function of the same name."""
    sys.modules[module_name].__class__ = _CallableModule
