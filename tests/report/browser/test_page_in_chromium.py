"""The page as readers use it, in Chromium: switches, sorting, looks, and who can read it."""

import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from page_samples import HOSTILE, full_results
from playwright.sync_api import Browser, Page, sync_playwright
from report_samples import sample_results

from mixqual.report import label_runs, write_comparison

AXE = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # The system's, or what `playwright install chromium` has brought.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, page_file: Path) -> Iterator[Page]:
    page = browser.new_page(viewport=WIDE)
    page.goto(page_file.as_uri())
    yield page
    page.close()


def visible(page: Page, chart: str) -> set[str]:
    """The models whose curve and band are drawn in a chart."""
    traces: list[list[Any]] = page.eval_on_selector(
        f"#{chart}", "chart => chart.data.map(t => [t.meta.model, t.meta.part, t.visible])"
    )
    curves, bands = (
        {model for model, part, drawn in traces if part == wanted and drawn is True}
        for wanted in ("curve", "band")
    )
    assert curves == bands
    return curves


def column(page: Page, table: str, place: int) -> list[str]:
    return page.eval_on_selector(
        f"#{table}",
        "(table, place) => [...table.tBodies[0].rows].map(row => row.cells[place].innerText)",
        place,
    )


def test_loads_without_errors_and_without_a_network(browser: Browser, page_file: Path) -> None:
    page = browser.new_page(viewport=WIDE)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    page.wait_for_load_state("networkidle")
    assert told == []
    assert [url for url in asked if not url.startswith("data:")] == [page_file.as_uri()]
    for chart in ("accuracy-chart-0", "accuracy-chart-1", "weights-chart-1", "cost-chart"):
        assert page.locator(f"#{chart} .scatterlayer .trace").count() > 0
    page.close()


def test_what_is_drawn_are_the_numbers(page: Page) -> None:
    results = full_results()
    traces = page.eval_on_selector(
        "#accuracy-chart-1",
        "chart => chart.data.map(t => [t.meta.model, t.meta.part, t.x, t.y])",
    )
    accuracy, intervals = results["accuracy"], results["accuracy_ci95"]
    for model, part, x, y in traces:
        levels = results["distortions"]["gaussian_blur"]["levels"]
        if part == "curve":
            assert (x, y) == (levels, list(accuracy[model]["gaussian_blur"].values()))
        else:
            ends = list(intervals[model]["gaussian_blur"].values())
            assert x == levels + levels[::-1]
            assert y == [high for _, high in ends] + [low for low, _ in reversed(ends)]


def test_a_switch_changes_all_curves(page: Page) -> None:
    assert visible(page, "accuracy-chart-0") == {"clean", "all", "avg", "mix"}
    page.get_by_label("M_hardmix").check()
    page.locator("input[value=avg]").focus()
    page.keyboard.press("Space")
    for chart in ("accuracy-chart-0", "accuracy-chart-1"):
        assert visible(page, chart) == {"clean", "all", "hardmix", "mix"}
    page.get_by_role("button", name="None").click()
    assert visible(page, "accuracy-chart-1") == set()
    page.get_by_role("button", name="All", exact=True).click()
    assert visible(page, "accuracy-chart-1") == set(full_results()["models"])
    page.get_by_role("button", name="Main ones").press("Enter")
    assert visible(page, "accuracy-chart-0") == {"clean", "all", "avg", "mix"}


def test_every_table_sorts_by_every_column(page: Page) -> None:
    """Numbers as numbers, missing ones last, by click and by key; a third press restores."""
    faults = page.evaluate(
        """() => {
          const faults = [];
          const tables = [...document.querySelectorAll("table.sortable")];
          for (const table of tables) {
            const rows = () => [...table.tBodies[0].rows];
            const first = rows();
            for (const heading of table.tHead.rows[0].cells) {
              const keys = () => rows().map(row => row.cells[heading.cellIndex].dataset.key);
              for (const [state, sign] of [["ascending", 1], ["descending", -1]]) {
                heading.querySelector("button").click();
                const all = keys();
                const there = all.filter(key => key !== "");
                const numeric = heading.dataset.kind === "number";
                const ordered = there.slice(1).every((key, at) => numeric
                  ? sign * (Number(key) - Number(there[at])) >= 0
                  : sign * key.localeCompare(there[at], "en", {numeric: true}) >= 0);
                const last = all.slice(0, there.length).every(key => key !== "");
                if (!ordered || !last || heading.getAttribute("aria-sort") !== state)
                  faults.push([table.id, heading.innerText, state]);
              }
              heading.querySelector("button").click();
              if (rows().some((row, at) => row !== first[at]) || heading.ariaSort)
                faults.push([table.id, heading.innerText, "restored"]);
            }
          }
          return [tables.length, faults];
        }"""
    )
    assert faults[0] >= 14
    assert faults[1] == []


def test_the_table_of_areas_by_mouse_and_by_key(page: Page) -> None:
    results = full_results()
    heading = page.locator("#areas-0 thead th", has_text="Average")
    place = heading.evaluate("cell => cell.cellIndex")
    before = column(page, "areas-0", 0)
    values = [float(text.split()[0]) for text in column(page, "areas-0", place)]
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    found = [float(text.split()[0]) for text in column(page, "areas-0", place)]
    assert found == sorted(values)
    best = max(
        (m for m in results["models"] if f"M_{m}" in before or m in ("mix_true", "best_expert")),
        key=lambda model: results["auc"][model]["average"]["auc"],
    )
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    top = column(page, "areas-0", 0)[0]
    assert top in (f"M_{best}", "ceiling: true weights", "ceiling: best expert")
    assert [float(t.split()[0]) for t in column(page, "areas-0", place)] == sorted(values)[::-1]
    heading.get_by_role("button").press("Enter")
    assert column(page, "areas-0", 0) == before


def test_costs_have_an_axis_to_choose(page: Page) -> None:
    cost = full_results()["cost"]
    for label, field, unit in (
        ("latency", "latency_ms", 1),
        ("arithmetic (MACs)", "macs", 1e9),
        ("parameters", "params", 1e6),
    ):
        page.get_by_label(label).check()
        points = page.eval_on_selector(
            "#cost-chart", "chart => chart.data.map(t => [t.meta.model, t.x[0]])"
        )
        assert dict(points) == {model: row[field] / unit for model, row in cost.items()}


def test_the_confusion_matrix_follows_the_choice(page: Page) -> None:
    page.get_by_label("Model", exact=True).select_option("mix")
    page.get_by_label("Distortion", exact=True).select_option("gaussian_blur")
    levels = full_results()["distortions"]["gaussian_blur"]["levels"]
    page.get_by_label("Level", exact=True).select_option(format(levels[4], "g"))
    cells = page.locator("#confusion-matrix td span").all_inner_texts()
    assert cells == ["46", "4", "8", "32"]
    assert page.locator("#confusion-matrix td small").first.inner_text() == "92 %"
    assert page.locator("#confusion-caption").inner_text() == "M_mix, Blur 2.28571 pixels"
    assert page.locator("#confusion-matrix tbody th").last.inner_text() == HOSTILE


def test_images_show_their_answers(page: Page) -> None:
    views = page.locator("#examples .view")
    assert views.count() == 5
    answers = views.nth(1).locator("li:visible").all_inner_texts()
    assert [" ".join(answer.split()) for answer in answers] == [
        "✗ wrong: M_clean: dog 70 %",
        "✓ right: M_mix: cat 50 %",
    ]
    widths = page.eval_on_selector_all(
        "#examples .view:first-child .shares span",
        "spans => spans.map(span => span.getBoundingClientRect().width)",
    )
    assert widths[1] == pytest.approx(3 * widths[0], rel=0.02)
    natural = views.nth(1).locator("img").evaluate("image => image.naturalWidth")
    assert natural == 8


def test_the_look_turns(page: Page) -> None:
    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = background()
    page.get_by_role("button", name="Dark").click()
    assert background() != light
    colours = page.eval_on_selector("#accuracy-chart-0", "c => c.data[1].line.color")
    assert colours == "#f2f2f2"  # black on black would be nothing
    page.get_by_role("button", name="Light").click()
    assert background() == light


@pytest.fixture(scope="module")
def comparison_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = label_runs([(Path("a"), sample_results()), (Path("b"), sample_results(trees=True))])
    return write_comparison(runs, tmp_path_factory.mktemp("comparison"))[0]


@pytest.mark.parametrize("of", ["page_file", "comparison_file"])
@pytest.mark.parametrize(
    ("viewport", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow"]
)
def test_it_is_accessible_and_fits(
    browser: Browser, request: pytest.FixtureRequest, of: str, scheme: Any, viewport: Any
) -> None:
    page = browser.new_page(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    page.goto(request.getfixturevalue(of).as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => (each.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    faults = [
        (fault["id"], fault["nodes"][0]["html"][:200], fault["nodes"][0]["failureSummary"])
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert faults == []
    page.close()


def test_the_comparison_loads_by_itself_and_sorts(browser: Browser, comparison_file: Path) -> None:
    page = browser.new_page(viewport=WIDE)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(comparison_file.as_uri())
    heading = page.locator("#runs thead th", has_text="Average")
    place = heading.evaluate("cell => cell.cellIndex")
    before = [float(text.split()[0]) for text in column(page, "runs", place)]
    heading.get_by_role("button").press("Enter")
    assert [float(text.split()[0]) for text in column(page, "runs", place)] == sorted(before)
    assert told == []
    assert [url for url in asked if not url.startswith("data:")] == [comparison_file.as_uri()]
    page.close()


def test_paper_has_drawings_and_every_table(page: Page) -> None:
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("table:visible").count() == page.locator("table").count()
    assert page.locator("img.drawing:visible").count() == 4
    assert page.locator(".chart:visible, nav:visible, input:visible, select:visible").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 3


def test_without_scripts_the_drawings_stand_in(browser: Browser, page_file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator("img.drawing:visible").count() == 4
    assert page.locator(".chart:visible, input:visible").count() == 0
    context.close()
