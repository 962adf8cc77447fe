"""The page as text: what it draws is what the results have, whatever the names are."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from page_samples import CLASSES, HOSTILE, drawings, full_examples, full_results
from report_samples import Results, sample_results

from mixqual.report.page import render_page

MOST_BYTES = 10_000_000


class Parsed(HTMLParser):
    """Tags with their attributes, and the text of each element that has an id or is a script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags:
            self.texts.append((self.tags[-1][0], data))


@pytest.fixture(scope="module")
def results() -> Results:
    return full_results()


@pytest.fixture(scope="module")
def page(page_file: Path) -> str:
    return page_file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(page: str) -> Parsed:
    return Parsed(page)


def drawn(page: str) -> dict[str, Any]:
    """The numbers that the charts are made from."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert found
    data: dict[str, Any] = json.loads(found.group(1))
    return data


def test_curves_are_the_numbers_of_the_results(page: str, results: Results) -> None:
    accuracy: dict[str, Any] = {model: {} for model in results["models"]}
    intervals: dict[str, Any] = {model: {} for model in results["models"]}
    for chart in drawn(page)["accuracy"]:
        name = chart["distortion"]
        assert chart["levels"] == results["distortions"][name]["levels"]
        keys = [format(level, "g") for level in chart["levels"]]
        for row in chart["series"]:
            ends = map(list, zip(row["low"], row["high"], strict=True))
            accuracy[row["model"]][name] = dict(zip(keys, row["values"], strict=True))
            intervals[row["model"]][name] = dict(zip(keys, ends, strict=True))
    assert accuracy == results["accuracy"]
    assert intervals == results["accuracy_ci95"]


def test_weights_are_the_numbers_of_the_results(page: str, results: Results) -> None:
    parts = {"optimal": "weights", "mean": "gate_weights", "std": "gate_weights_std"}
    for chart in drawn(page)["weights"]:
        for row in chart["series"]:
            for part, table in parts.items():
                levels = results[table][chart["distortion"]].values()
                assert row[part] == [weights[row["model"]] for weights in levels]


def test_costs_are_the_numbers_of_the_results(page: str, results: Results) -> None:
    points = {point["model"]: point for point in drawn(page)["cost"]["points"]}
    assert points.keys() == results["cost"].keys()
    for model, point in points.items():
        area, cost = results["auc"][model]["average"], results["cost"][model]
        assert [point[part] for part in ("auc", "low", "high")] == [area["auc"], *area["ci95"]]
        assert point["params"] * 1e6 == pytest.approx(cost["params"], rel=1e-12)
        assert point["macs"] * 1e9 == pytest.approx(cost["macs"], rel=1e-12)
        assert point["latency_ms"] == cost["latency_ms"]


def test_a_distortion_whose_levels_fall_keeps_its_order() -> None:
    results = sample_results()
    levels = results["distortions"]["gaussian_noise"]["levels"]
    levels.reverse()
    chart = drawn(render_page(results, {}))["accuracy"][0]
    assert chart["levels"] == levels
    first = results["accuracy"]["mix"]["gaussian_noise"][format(levels[0], "g")]
    assert next(row for row in chart["series"] if row["model"] == "mix")["values"][0] == first


def test_equal_results_give_equal_bytes(page: str, page_file: Path) -> None:
    again = json.loads(json.dumps(full_results()))
    assert render_page(again, drawings(page_file.parent), full_examples()) == page


def test_it_is_small_enough(page: str) -> None:
    assert len(page.encode()) < MOST_BYTES


def test_nothing_is_loaded_from_elsewhere(parsed: Parsed) -> None:
    loading = ("src", "srcset", "href", "data", "poster", "action", "formaction")
    for tag, attributes in parsed.tags:
        for name in loading:
            value = attributes.get(name) or ""
            assert value.startswith(("#", "data:")) or not value, (tag, name, value[:80])
        assert tag not in ("iframe", "object", "embed", "base")
    for tag, text in parsed.texts:
        if tag == "style":
            assert "url(" not in text
            assert "@import" not in text


def test_no_handler_stands_in_the_markup(parsed: Parsed) -> None:
    assert not [name for _, attributes in parsed.tags for name in attributes if name[:2] == "on"]


def test_names_stay_text(parsed: Parsed) -> None:
    """Three scripts are the page's own: the numbers, plotly.js, and what draws them."""
    assert sum(tag == "script" for tag, _ in parsed.tags) == 3
    texts = [text for tag, text in parsed.texts if tag not in ("script", "style")]
    assert sum(HOSTILE in text for text in texts) >= 4  # in matrix (twice), study file, left out


def test_a_study_and_an_expert_may_be_named_like_markup() -> None:
    text = json.dumps(sample_results(trees=True)).replace('"noise"', '"<script>noise"')
    page = Parsed(render_page(json.loads(text) | {"name": HOSTILE}, {}))
    assert sum(tag == "script" for tag, _ in page.tags) == 3
    assert (("title", f"{HOSTILE}: report of mixqual")) in page.texts
    assert any("M_<script>noise" in text for tag, text in page.texts if tag != "script")


def test_every_model_has_a_switch(parsed: Parsed, results: Results) -> None:
    boxes = [attributes for tag, attributes in parsed.tags if attributes.get("name") == "model"]
    assert sorted(box["value"] or "" for box in boxes) == sorted(results["models"])
    assert {box["value"] for box in boxes if "checked" in box} == {"clean", "all", "avg", "mix"}


def test_ids_come_once_and_headings_in_order(parsed: Parsed) -> None:
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [attributes.get("aria-labelledby") for _, attributes in parsed.tags]
    assert {name for name in named if name} <= set(ids)
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_says_how_to_make_the_run_again(parsed: Parsed, results: Results) -> None:
    code = [text for tag, text in parsed.texts if tag == "code"]
    assert results["command"] in code
    assert results["study_text"] in code


def test_results_without_optional_keys_say_what_there_is() -> None:
    page = render_page(sample_results(), {})
    assert "These results do not name their study file" in page
    assert "89abcdef01234567" in page
    assert 'id="confusion"' not in page
    assert 'id="examples"' not in page
    assert drawn(page)["confusion"] is None
    assert 'id="ship"' not in page
    older = sample_results()
    for key in ("gate", "training", "kept_levels"):
        del older[key]
    assert "The results do not say it." in render_page(older, {})


def test_what_to_ship_stands_at_the_head() -> None:
    page = render_page(full_results(), {})
    reason = full_results()["recommendation"]["reason"]
    assert page.index(reason) < page.index('id="ship"') < page.index('id="accuracy"')


def test_classes_of_the_results_come_first() -> None:
    assert drawn(render_page(full_results(), {}))["confusion"]["classes"] == CLASSES


@pytest.mark.parametrize("distortions", [1, 6])
def test_any_number_of_distortions(distortions: int) -> None:
    data = drawn(render_page(sample_results(distortions, experts=8), {}))
    assert len(data["accuracy"]) == len(data["weights"]) == distortions
