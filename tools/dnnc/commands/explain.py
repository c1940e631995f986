"""Explain an error by the code at its end, or list all codes."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc explain", "dnnc explain E0701")


def declare(p: Parser) -> None:
    """Its arguments."""
    p.add_argument("code", nargs="?", help="a code such as E0701; none lists them")
    arguments.json(p)


def run(args: Namespace) -> None:
    """The page of a code, or the title of every code."""
    from dnnc import errors

    if args.code is None:
        _titles(errors.titles(), args.json)
        return
    page = errors.explain(args.code)
    if args.json:
        code = args.code.upper()
        console.json({"code": code, "title": errors.titles()[code], "text": page})
        return
    from rich.markdown import Markdown

    console.show(Markdown(page), lambda: page, folds=True)


def _titles(titles: dict[str, str], as_json: bool) -> None:
    if as_json:
        console.json([{"code": code, "title": title} for code, title in titles.items()])
    else:
        console.table(["code", "what is wrong"], list(titles.items()))
