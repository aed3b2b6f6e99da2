"""Divide the words of a command into its own options, Beam's, and what stands beside them.

Every word has a place, or is refused by name: none is dropped.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NoReturn

from beam_pipeline.exits import UserError

Actions = Mapping[str, argparse.Action]
_FLAG = 0
"""What argparse calls the number of values of an option without one."""


class OneLineParser(argparse.ArgumentParser):
    """A parser that tells of a mistake in one line, and without abbreviations."""

    def error(self, message: str) -> NoReturn:
        """Refuse the words.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{message}; see {self.prog} --help")


@dataclass
class Words:
    """A command's words, sorted; an option and its value are one word."""

    own: list[str] = field(default_factory=list)
    """Options of the command."""
    beam: list[str] = field(default_factory=list)
    """Options of Apache Beam."""
    rest: list[str] = field(default_factory=list)
    """What is no option: files."""

    def given(self) -> list[str]:
        """Return what argparse reads without a doubt about any word."""
        return [*self.own, *(["--", *self.rest] if self.rest else [])]


def options_of(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Return the options of a parser by their long names."""
    return {
        name: action
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--")
    }


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the known names that look like a name, as the end of a sentence; empty if none."""
    found = get_close_matches(name, known, n=3, cutoff=0.7)
    return f"; did you mean {' or '.join(found)}?" if found else ""


def divide(words: Sequence[str], own: Actions, beam: Callable[[], Actions] | None = None) -> Words:
    """Sort the words of a command.

    Args:
        words: As typed, without the command's name.
        own: Options of the command, by name.
        beam: Returns those of Beam, which are asked for only where a word needs it; None: the
            command takes none.

    Raises:
        UserError: A word belongs to nothing, or an option is given twice.
    """
    return _Sorter(own, beam).sorted(list(words))


class _Sorter:
    def __init__(self, own: Actions, beam: Callable[[], Actions] | None) -> None:
        self._own, self._beam = own, beam
        self._seen: set[str] = set()
        self._words = Words()

    def sorted(self, words: list[str]) -> Words:
        while words:
            word = words.pop(0)
            if word == "--":
                self._words.rest += words
                break
            if word == "-h":
                self._words.own.append(word)
            elif word.startswith("--"):
                self._option(word, words)
            elif word.startswith("-") and word != "-":
                self._refuse(word, f"-{word}")
            elif not word:
                raise UserError("an empty word is no file or folder: leave it out")
            else:
                self._words.rest.append(word)
        return self._words

    def _option(self, word: str, following: list[str]) -> None:
        name = word.partition("=")[0]
        if name in self._own:
            into, action = self._words.own, self._own[name]
        elif self._beam is None or name not in self._beam():
            self._refuse(name, name)
        else:
            into, action = self._words.beam, self._beam()[name]
        into.append(_whole(word, action, following))
        if action.dest in self._seen and not _may_repeat(action):
            raise UserError(f"{name} is given twice: keep one")
        self._seen.add(action.dest)

    def _refuse(self, word: str, like: str) -> NoReturn:
        known = [*self._own, *(self._beam() if self._beam else ())]
        dashes = "" if word.startswith("--") else " (a file of such a name: write ./ before it)"
        raise UserError(f"unknown option {word}{dashes}{nearest(like.partition('=')[0], known)}")


def _whole(word: str, action: argparse.Action, following: list[str]) -> str:
    """Return an option with its value as one word; the value may be the next word."""
    name, equals, value = word.partition("=")
    if action.nargs == _FLAG:
        if equals:
            raise UserError(f"{name} takes no value, and has {value!r}")
        return name
    if equals:
        if not value:
            raise UserError(f"{name} is empty: give a value, or leave it out")
        return word
    if action.nargs == "?":
        return name
    if not following or _is_option(following[0]):
        raise UserError(f"{name} needs a value")
    return _whole(f"{name}={following.pop(0)}", action, following)


def _is_option(word: str) -> bool:
    """Return whether a word is no value: negative numbers are values."""
    return word.startswith("-") and not word[1:2].isdigit() and word not in ("-", "-inf", "-nan")


def _may_repeat(action: argparse.Action) -> bool:
    """Return whether an option may stand several times; a flag says the same twice."""
    return action.nargs == _FLAG or not isinstance(action, argparse._StoreAction)
