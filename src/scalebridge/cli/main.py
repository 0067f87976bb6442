"""The `scalebridge` command as a process: signals, exit code, and what is loaded when.

Exit codes: 0 fine, 1 failure, 2 bad input, 3 accuracy not met, 130 interrupted.
Nothing is imported before signals are answered, and nothing heavy before a command runs: `scalebridge --help` must
answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from scalebridge.cli.interruption import interruptible

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code; messages about errors go to stderr, one each."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    with interruptible(ends_process=arguments is None) as interruption:
        try:
            from scalebridge.cli.application import run_words

            return run_words(words, interruption)
        except KeyboardInterrupt:
            interruption.settle()
            # What `generate` drew until then is complete: there is nothing to resume.
            resumable = words[:1] != ["generate"] and any(map(_names_folder, words))
            hint = "; run again with the same --output to resume" if resumable else ""
            print(f"interrupted{hint}", file=sys.stderr)
            return INTERRUPTED


def _names_folder(word: str) -> bool:
    return word in ("--output", "-o") or word.startswith(("--output=", "-o="))
