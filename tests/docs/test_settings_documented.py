"""The published reference of settings holds every setting and is what the definitions say today."""

from pathlib import Path

from voucherswitch.config import reference
from voucherswitch.config.settings import Settings, env_name

PAGE = Path(__file__).parents[2] / "docs/reference/settings.md"
REMEDY = "write it anew: make docs, or python -m voucherswitch.config.reference > docs/reference/settings.md"


def test_every_setting_is_documented() -> None:
    page = PAGE.read_text(encoding="utf-8")
    missing = [name for name in Settings.model_fields if f"| `{name}` | `{env_name(name)}` |" not in page]
    assert missing == [], REMEDY


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.render(), REMEDY


def test_every_setting_says_what_it_means_and_what_it_accepts() -> None:
    """An empty cell helps nobody."""
    rows = [row for row in reference.render().splitlines() if row.startswith("| `")]
    assert len(rows) == len(Settings.model_fields)
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 6, row
        assert all(cells), row
