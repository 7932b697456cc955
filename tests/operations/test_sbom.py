"""The list of what a release is made of (make sbom): complete, and what the published schema allows."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from deploy.sbom import ROOT, faults, sbom

Json = dict[str, Any]


@pytest.fixture(scope="module")
def uv() -> str:
    """The uv that `make` uses."""
    found = shutil.which("uv") or str(ROOT / ".tools/bin/uv")
    told = subprocess.run([found, "export", "--help"], capture_output=True, text=True, check=True).stdout
    if "cyclonedx1.5" not in told:
        pytest.skip("this uv is too old to write CycloneDX")
    return found


@pytest.fixture(scope="module")
def document(uv: str) -> Json:
    """The list for the lock as it is."""
    return sbom(uv)


def test_the_schema_allows_it(document: Json) -> None:
    assert faults(document) is None


def test_a_document_that_the_schema_does_not_allow_is_told(document: Json) -> None:
    assert "sha-0" in (faults(document | {"components": [wrong(document)]}) or "")


def wrong(document: Json) -> Json:
    """The first component with a hash of a kind that there is not."""
    hashed = {"type": "distribution", "url": "https://example.com", "hashes": [{"alg": "sha-0", "content": "00"}]}
    component: Json = document["components"][0] | {"externalReferences": [hashed]}
    return component


def test_all_that_a_release_needs_is_in_it_and_nothing_of_the_tests(document: Json) -> None:
    named = {component["name"] for component in document["components"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    direct = {re.split(r"[\[<>=!~ ;]", line)[0] for line in project["project"]["dependencies"]}

    assert direct <= named
    assert not named & {"pytest", "mypy", "ruff", "hypothesis", "pip-audit", "httpx"}


def test_each_component_has_its_version_its_purl_and_the_hash_of_every_file_of_the_lock(document: Json) -> None:
    locked = {(one["name"], one["version"]): one for one in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    for component in document["components"]:
        name, version = component["name"], component["version"]
        package = locked[name, version]
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        told = {
            digest["content"]
            for reference in component["externalReferences"]
            for digest in reference["hashes"]
            if digest["alg"] == "SHA-256"
        }
        assert component["purl"] == f"pkg:pypi/{name}@{version}"
        assert told == {file["hash"].removeprefix("sha256:") for file in files}, name


def test_each_component_that_is_installed_names_its_licence(document: Json) -> None:
    for component in (document["metadata"]["component"], *document["components"]):
        try:
            distribution(component["name"])
        except PackageNotFoundError:
            assert component["properties"], f"{component['name']} is not installed, and no marker says why"
        else:
            assert component["licenses"], component["name"]


def test_the_command_writes_the_file(uv: str, tmp_path: Path) -> None:
    target = tmp_path / "dist" / "sbom.cdx.json"

    done = subprocess.run(
        [sys.executable, "-m", "deploy.sbom", str(target)],
        cwd=ROOT,
        env={"UV": uv, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert '"bomFormat": "CycloneDX"' in target.read_text()
