"""The documentation names every setting as it is, and what it links to is there."""

import re
from pathlib import Path

import pytest

from tfseq import configs, models
from tfseq.augmentation import Augmentation
from tfseq.configs import default
from tfseq.configs.flat import flat
from tfseq.errors import UserError

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("datasets/*/*.md")])


def table_rows(columns):
    """Returns the cells of docs/settings.md's tables of so many columns, by the setting's name."""
    rows = {}
    for line in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) == columns:
            assert cells[0] not in rows, f"{cells[0]} is there twice"
            rows[cells[0].strip("`")] = cells[1:]
    return rows


def written(value):
    """Returns a default as the tables write it."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{','.join(map(str, value)) if isinstance(value, tuple) else value}`"


SHARED = table_rows(columns=4)


def test_the_page_of_settings_has_all_of_them_with_their_defaults():
    settings = default.get_config()
    del settings.model
    expected = {name: written(value) for name, value in flat(settings).items()}
    assert {name: cells[0] for name, cells in SHARED.items()} == expected


@pytest.mark.parametrize(
    ("column", "model"), enumerate(("cnn", "conv_ae", "mlp", "resnet", "seqnet"))
)
def test_the_page_of_settings_has_those_of_a_network_with_their_defaults(column, model):
    settings = flat(configs.get(model).model, "model.")
    assert settings.pop("model.name") in models.names()
    found = {name: cells[column] for name, cells in table_rows(columns=7).items() if cells[column]}
    assert found == {name: written(value) for name, value in settings.items()}


@pytest.mark.parametrize(
    "name",
    [name for name, cells in SHARED.items() if cells[1].startswith("`") and "dataset" not in name],
)
def test_the_choices_on_the_page_are_those_that_a_refusal_names(name):
    config = default.get_config()
    config.update_from_flattened_dict({name: "best"})
    choices = SHARED[name][1].replace("`", "")
    with pytest.raises(UserError, match=f"--config.{name}: expected one of {choices}, got 'best'"):
        configs.check(config)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, (_, allowed, _) in SHARED.items()
        if re.match(r"\d or more|a number", allowed) and "dataset" not in name
    ],
)
def test_the_range_on_the_page_is_the_one_that_a_refusal_names(name):
    config = default.get_config()
    config.update_from_flattened_dict({name: -1})
    with pytest.raises(UserError, match=f"--config.{name}: expected {SHARED[name][1]}, got -1"):
        configs.check(config)
        Augmentation(**config.augmentation)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page):
    text = page.read_text(encoding="utf-8")
    links = [page.parent / link for link in re.findall(r"\]\((?!https?:)([^)#]+)", text)]
    named = [ROOT / name for name in re.findall(r"(?<![\w/])docs/\w+\.md", text)]
    assert [str(path) for path in [*links, *named] if not path.exists()] == []
