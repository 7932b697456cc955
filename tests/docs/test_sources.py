"""What every file of the repository keeps to, so that a stranger finds a way in and nothing of ours leaks out."""

import ast
import re
import subprocess
from pathlib import Path

from docs.doc_pages import ROOT

SOURCE = ROOT / "src/voucherswitch"
TEXT = {".md", ".py", ".sql", ".toml", ".lock", ".js", ".css", ".html", ".yml", ".yaml", ".json", ".txt", ".cfg", ""}
SKIPPED = {".git", ".venv", ".tools", ".voucherswitch", ".hypothesis", "__pycache__", "node_modules", "dist", "results"}
PUBLIC_INDEX = {"https://pypi.org/simple", "https://files.pythonhosted.org"}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        module.relative_to(ROOT).as_posix()
        for module in sorted(SOURCE.rglob("*.py"))
        if module.stat().st_size and not ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    # Absolute paths that belong to a person or a job; /tmp, /var/lib and the like are places of every machine.
    private = re.compile(r"(?<![\w.:*/])/(?:work|root|home|Users|builds)/[\w.]")
    assert _found(private) == []


def test_no_file_names_a_package_index_but_the_public_one() -> None:
    index = re.compile(r"https?://[^\s\"'<>)]*(?:/simple\b|/pypi\b|artifactory|nexus)[^\s\"'<>)]*")
    named = [(name, url) for name, url in _found(index) if not url.startswith(tuple(PUBLIC_INDEX))]
    assert named == []
    hosts = set(
        re.findall(r'(?:registry = "|url = ")(https?://[^/"]+)', (ROOT / "uv.lock").read_text(encoding="utf-8"))
    )
    assert hosts <= {"https://pypi.org", "https://files.pythonhosted.org"}


def _found(pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    return [
        (file.relative_to(ROOT).as_posix(), found[0])
        for file in _text_files()
        for found in pattern.finditer(file.read_text(encoding="utf-8", errors="replace"))
        if file != Path(__file__)
    ]


def _text_files() -> list[Path]:
    """What git would keep; without git (a source archive), what is not obviously made here."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        files = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        files = [file for file in ROOT.rglob("*") if not SKIPPED & set(file.relative_to(ROOT).parts)]
    return [file for file in files if file.is_file() and file.suffix in TEXT]
