"""What a person types, read as the kind of the field that it is for: options of commands and settings of methods alike.

cyclopts reads it. pydantic does not: `2` is no `Literal[1, 2]` to it and `none` no `None`, while 1.0 and `True` are.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    Parameter,
    Token,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
    convert,
)

from bench.errors import BadSpec, BenchError, UnknownName

T = TypeVar("T")

_NOUNS: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false"}


def program(name: str, **about: Any) -> App:
    """A command line without commands yet: options take all words up to the next option, and return what is built."""
    each = Parameter(converter=read, consume_multiple=(1, None), negative_iterable=())
    about["help_format"] = "plaintext"  # Markdown would take a third of the time that help takes
    return App(name, default_parameter=each, result_action="return_value", **about)


def parsed(app: App, words: Sequence[str]) -> Any:
    """What the words ask for; None where they ask for help or the version, which was given. Raises as `refused`."""
    try:
        return app(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise refused(error) from None


def options(kind: type[T], name: str) -> T:
    """The options of a program without commands, from the words behind its name. Raises BadSpec, UnknownName."""
    app = program(name, version_flags=())
    app.default(kind)
    found: T | None = parsed(app, sys.argv[1:])
    if found is None:  # help was given
        sys.exit(0)
    return found


def read(kind: Any, tokens: Sequence[Token]) -> Any:
    """The tokens as one value of the kind; a tuple takes them all. Raises CycloptsError, see `refused`."""
    return convert(kind, tokens, converter=_read_one) if tokens else ()


def _read_one(kind: Any, text: str) -> Any:
    """A value without parts. cyclopts reads it, but would also read 1 as true, round 1.5, and take any number."""
    if kind is Path and not text:
        raise CoercionError(msg="an empty path; `.` is this folder")
    if kind is bool and text.lower() not in ("true", "false"):
        raise CoercionError(target_type=bool)
    if kind not in (int, float):
        return convert(kind, [text])
    value, limit = kind(text), 2**63 if kind is int else math.inf
    if not abs(value) < limit:  # not a number is below no limit
        raise CoercionError(msg=f"{text} is not finite, or has more than 64 bits")
    return value + 0  # -0.0 is another text than 0.0, and would be another key


def refused(error: CycloptsError, name: str = "") -> BenchError:
    """Why words were refused, in one line, with the nearest name that there is. `name` is that of the field, where
    the error does not know it."""
    error.verbose = False
    place = name or (error.argument.name if error.argument else "")
    match error:
        case UnknownOptionError():
            known = [one for argument in error.argument_collection for one in argument.names]
            return UnknownName("option", error.token.keyword or error.token.value, known)
        case UnknownCommandError(unused_tokens=[word, *_], app=App() as app) if not word.startswith("-"):
            return UnknownName("command", word, [one for one in app if not one.startswith("-")])
        case UnknownCommandError(unused_tokens=[word, *_]):
            return BadSpec(f"{word}: name a command first; its options come after it (see --help)")
        case UnusedCliTokensError(unused_tokens=[word, *_]):
            return BadSpec(f"{word!r} is one word too many (see --help)")
        case CoercionError(msg=None, token=Token(value=text), target_type=kind) if get_origin(kind) is Literal:
            return UnknownName(f"value of {place}", text, map(str, get_args(kind)))
        case CoercionError(msg=None, token=Token(value=text), target_type=kind):
            return BadSpec(f"{place} takes {_NOUNS.get(kind, str(kind))}, not {text!r}")
        case CoercionError(msg=str(reason)):
            return BadSpec(f"{place}: {reason}")
    return BadSpec(f"{error} (see --help)")
