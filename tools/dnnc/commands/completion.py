"""Print the completion script of a shell."""

from __future__ import annotations

from argparse import Namespace

from dnnc import console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc completion bash", "dnnc completion zsh")
SHELLS = {"bash": 'eval "$(dnnc completion bash)" in ~/.bashrc', "zsh": 'eval "$(dnnc completion zsh)" in ~/.zshrc'}


def declare(p: Parser) -> None:
    """Its arguments."""
    use = "; ".join(SHELLS.values())
    p.add_argument("shell", choices=tuple(SHELLS), help=f"the shell: {use}")


def run(args: Namespace) -> None:
    """The script, made from the parsers of all commands."""
    from dnnc.completion import script

    console.say(script(args.shell))
