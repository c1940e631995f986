"""The completion scripts, driven as a shell drives them."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from dnnc import cli

FILES = ("lenet5.onnx", "net.dnn", "net.mlir", "net.npu", "notes.txt", "digits.npz", "my.toml", "p.dnnp", "l.trace")

CASES = {
    "commands": ("dnnc co", {"compile", "completion"}),
    "models": ("dnnc compile ", {"lenet5.onnx", "net.dnn", "net.mlir", "sub"}),
    "programs": ("dnnc run n", {"net.dnn", "net.mlir", "net.npu"}),
    "options": ("dnnc compile net.dnn --em", {"--emit"}),
    "choices": ("dnnc compile net.dnn --emit ", {"npu", "c", "ir", "report"}),
    "samples": ("dnnc run net.dnn -i d", {"digits.npz"}),
    "targets": ("dnnc compile net.dnn -t ed", {"edge"}),
    "target files": ("dnnc compile net.dnn --target m", {"my.toml"}),
    "passes": ("dnnc report net.dnn -p simpl", {"simplify"}),
    "pass after a comma": ("dnnc report net.dnn -p simplify,fuse-", {"simplify,fuse-groups", "simplify,fuse-layers"}),
    "pipeline files": ("dnnc compile net.dnn --pipeline-file ", {"p.dnnp", "sub"}),
    "views": ("dnnc trace l.trace la", {"layers"}),
    "codes": ("dnnc explain E010", {f"E010{i}" for i in range(1, 10)}),
    "after an option": ("dnnc -v ver", {"verify", "version"}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("complete")
    (path / "sub").mkdir()
    for name in FILES:
        (path / name).touch()
    return path


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.run(["completion", shell]) == 0
    return capsys.readouterr().out


BASH = """
source dnnc.bash
COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}
read -ra COMP_WORDS <<< "$COMP_LINE"
[[ $COMP_LINE == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
how=$(complete -p dnnc); how=${how#*-F }; how=${how%% *}
$how dnnc "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("case", CASES)
def test_bash_completes(case: str, folder: Path, capsys: pytest.CaptureFixture[str]):
    line, expected = CASES[case]
    (folder / "dnnc.bash").write_text(script("bash", capsys))
    done = subprocess.run(["bash", "-c", BASH, "bash", line], cwd=folder, capture_output=True, text=True)
    assert done.stderr == ""
    assert {word.rstrip("/ ") for word in done.stdout.split("\n")} - {""} - {"dnnc.bash"} == expected


SETUP = (
    "unsetopt prompt_sp prompt_cr; LISTMAX=1000; stty -echo; autoload -Uz compinit && compinit -u -D && "
    "eval \"$(cat dnnc.zsh)\"; bindkey '^T' list-choices; PS1='<PRO''MPT>'\n"
)


def zsh(line: str, folder: Path) -> str:
    """What an interactive zsh on a terminal lists for a line."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb", "COLUMNS": "200"})
    try:
        os.write(fd, SETUP.encode())
        awaited(fd, "<PROMPT>")
        os.write(fd, line.encode() + b"\x14")
        return awaited(fd, "<PROMPT>")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


def awaited(fd: int, text: str) -> str:
    """What a terminal shows up to a text."""
    seen, end = b"", time.monotonic() + 20
    while text.encode() not in seen:
        assert time.monotonic() < end, seen
        if select.select([fd], [], [], 0.1)[0]:
            seen += os.read(fd, 65536)
    return seen.decode()


@pytest.mark.full
@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize("case", CASES)
def test_zsh_completes(case: str, folder: Path, capsys: pytest.CaptureFixture[str]):
    line, expected = CASES[case]
    (folder / "dnnc.zsh").write_text(script("zsh", capsys))
    listed = zsh(line, folder).partition("\r\r\n")[2].rpartition("\r\n<PROMPT>")[0]
    rows = [row.partition(" -- ")[0] for row in listed.splitlines()]  # behind the dashes stands what a word means
    words = {word.rstrip("/") for row in rows for word in row.split()}
    assert words == {word.rpartition(",")[2] for word in expected}
