"""The parser with all commands, and how every error becomes one message and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
import warnings
from typing import Any

import cyclopts

from scalebridge import __version__
from scalebridge.cli import convert, doctor, generate, homogenize, init, inspect, path, run, rve
from scalebridge.cli.interruption import Interruption
from scalebridge.core.errors import ScalebridgeError

FAILURE, BAD_INPUT = 1, 2


def application() -> cyclopts.App:
    """The parser with all commands."""
    app = cyclopts.App(
        name="scalebridge",
        help="From a microstructure image to an effective law with an error bar.",
        version=f"scalebridge {__version__}",
        default_parameter=cyclopts.Parameter(negative=()),
        help_format="plaintext",
        suppress_keyboard_interrupt=False,  # main.py tells how to resume
    )
    for command in (
        homogenize.homogenize,
        path.path,
        inspect.inspect,
        run.run,
        init.init,
        doctor.doctor,
        convert.convert,
    ):
        app.command(command)
    for with_parameters in (generate.generate, rve.rve):
        app.command(with_parameters, help_flags=[])  # they say themselves what a generator takes
    return app


def run_words(words: list[str], interruption: Interruption) -> int:
    """One command line: its exit code, with one message on stderr for what went wrong."""
    _prepare_process()
    if strange := next(filter(None, map(_not_text, words)), ""):
        return _fail(strange, BAD_INPUT)
    try:
        code = application()(words, exit_on_error=False, print_error=False, result_action="return_value")
        if sys.stdout is not None:  # a process may be started without one
            sys.stdout.flush()
    except cyclopts.CycloptsError as error:
        return _fail(str(error).strip(), BAD_INPUT, hint="`scalebridge --help` lists commands and options.")
    except ScalebridgeError as error:
        return _fail(str(error), error.exit_code)
    except BrokenPipeError:
        # The reader of our output has left (a pipe into head): nothing to tell, and nowhere to tell it.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except MemoryError as error:
        return _fail(
            f"out of memory{_detail(error)}. Crop or coarsen the image (--crop, --coarsen).", BAD_INPUT
        )
    except Exception as error:
        if interruption.requested:  # a library turned the interruption into an error of its own
            raise KeyboardInterrupt from error
        return _full_disk(error) if _is_full_disk(error) else _unexpected(error)
    return code if isinstance(code, int) else 0


def _prepare_process() -> None:
    warnings.formatwarning = _one_line_warning
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal without Greek letters is no reason to fail


def _one_line_warning(message: Warning | str, *_: object, **__: object) -> str:
    return f"warning: {message}\n"


def _fail(message: str, code: int, *, hint: str = "") -> int:
    print(f"error: {message}" + (f"\n{hint}" if hint else ""), file=sys.stderr)
    return code


def _detail(error: BaseException) -> str:
    text = str(error).strip()
    return f" ({text})" if text else ""


def _is_full_disk(error: Exception) -> bool:
    # numpy says only how much of an array it could write.
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return isinstance(error, OSError) and (error.errno in full or " requested and " in str(error))


def _full_disk(error: Exception) -> int:
    """A disk that filled up where nobody looked: standard output, or the files that take the place of memory."""
    return _fail(
        f"Cannot write: the disk is full{_detail(error)}. Free some space where the output goes and in "
        f"{tempfile.gettempdir()}, where scratch files go (TMPDIR in the environment names another folder).",
        BAD_INPUT,
    )


def _unexpected(error: Exception) -> int:
    if "RESOURCE_EXHAUSTED" in str(error):  # how XLA says that memory ran out
        return _fail(
            f"out of memory ({str(error).splitlines()[0]}). Crop or coarsen the image (--crop, --coarsen).",
            BAD_INPUT,
        )
    if os.environ.get("SCALEBRIDGE_DEBUG"):
        raise error
    name = type(error).__name__
    return _fail(
        f"{name}: {error}. This is a fault of scalebridge, not of your input; please report it with what "
        "SCALEBRIDGE_DEBUG=1 in the environment prints.",
        FAILURE,
    )


def _not_text(word: str) -> str:
    """What is wrong with a name that is not text; results, which say what they were made from, could not say it."""
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        shown = os.fsencode(word).decode("utf-8", "backslashreplace")
        return (
            f"The name '{shown}' is not UTF-8 text, and results could not say what they were made from. Rename "
            "the file, or give a link to it that has a plain name."
        )
    return ""
