"""The page at / as people use it, in Chromium, over a real service with a real photograph."""

import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from finished_runs import Run
from playwright.sync_api import Browser, Page, expect, sync_playwright
from running import form, png, running

import mixqual

AXE = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photograph") / "cell <b>1.png"
    path.write_bytes(png(1, side=200))
    return path


@pytest.fixture
def page(browser: Browser, client: httpx.Client) -> Iterator[Page]:
    page = browser.new_page(viewport=WIDE)
    page.goto(str(client.base_url))
    yield page
    page.close()


def explored(client: httpx.Client, photograph: Path, query: str) -> Any:
    return client.post(f"/explore?{query}", files=form(photograph.read_bytes())).json()


def texts(page: Page, column: int) -> list[str]:
    cells = page.locator(f"#experts tr > :nth-child({column})").all_inner_texts()
    return [" ".join(cell.split()) for cell in cells]


def assert_shows(page: Page, found: Any) -> None:
    """That the page shows this answer of the service."""
    expect(page.locator("#shown")).to_have_attribute("src", found["image"])
    prediction = found["prediction"]
    expect(page.locator("#class-name")).to_have_text(prediction["class_name"])
    expect(page.locator("#confidence")).to_have_text(f"{100 * prediction['confidence']:.1f} %")
    expect(page.locator("#verdict")).to_have_text(prediction["verdict"])
    assert texts(page, 1) == list(prediction["weights"])
    assert texts(page, 2) == [f"{100 * w:.1f} %" for w in prediction["weights"].values()]
    best = [max(each.items(), key=lambda pair: pair[1]) for each in found["experts"].values()]
    assert texts(page, 3) == [f"{name} {100 * p:.1f} %" for name, p in best]


def set_slider(page: Page, name: str, value: float) -> None:
    page.locator(f"#{name}").fill(str(value))


def test_sliders_degrade_the_image_and_everything_follows(
    page: Page, client: httpx.Client, photograph: Path
) -> None:
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#file").set_input_files(photograph)
    assert_shows(page, explored(client, photograph, ""))
    expect(page.locator("#file-name")).to_have_text(photograph.name)
    set_slider(page, "noise", 60)
    assert_shows(page, explored(client, photograph, "noise=60"))
    set_slider(page, "blur", 7)
    assert_shows(page, explored(client, photograph, "noise=60&blur=7"))
    expect(page.locator("#blur-unit")).to_contain_text("1.00 here")  # 32 of 224 pixels
    page.get_by_role("button", name="Other noise").click()
    assert_shows(page, explored(client, photograph, "noise=60&blur=7&seed=1"))
    page.get_by_role("button", name="No damage").press("Enter")
    assert_shows(page, explored(client, photograph, "seed=1"))
    expect(page.locator("#trace > div")).to_have_count(5)
    assert told == []
    own = str(client.base_url).rstrip("/")
    assert [url for url in asked if not url.startswith((own, "data:"))] == []


def test_keys_move_sliders_and_only_the_last_place_is_asked_for(
    page: Page, client: httpx.Client, photograph: Path
) -> None:
    page.locator("#file").set_input_files(photograph)
    expect(page.locator("#shown")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#noise").focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    assert_shows(page, explored(client, photograph, "noise=8"))
    assert len(asked) < 8
    assert "noise=8" in asked[-1]


def test_a_dropped_file_counts_as_chosen(
    page: Page, client: httpx.Client, photograph: Path
) -> None:
    page.evaluate(
        """bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "dropped.png"));
          const target = document.getElementById("drop");
          for (const name of ["dragenter", "dragover", "drop"])
            target.dispatchEvent(new DragEvent(name, {dataTransfer: data, cancelable: true}));
        }""",
        list(photograph.read_bytes()),
    )
    assert_shows(page, explored(client, photograph, ""))


def test_errors_are_shown_and_go_away(page: Page, photograph: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"broken")
    page.locator("#file").set_input_files(broken)
    expect(page.get_by_role("alert")).to_have_text("not an image in a known format")
    page.locator("#file").set_input_files(photograph)
    expect(page.locator("#shown")).to_be_visible()
    expect(page.locator("#problem")).to_be_hidden()


def test_a_key_is_asked_for_and_not_kept(
    browser: Browser, random_bundle: Path, photograph: Path
) -> None:
    with running(random_bundle, api_key="sesame") as client:
        page = browser.new_page(viewport=NARROW)
        page.goto(str(client.base_url))
        page.get_by_label("Key of this service").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("send the key of this service")
        page.get_by_label("Key of this service").fill("sesame")
        page.keyboard.press("Enter")
        expect(page.locator("#about")).to_contain_text("4 classes, 3 experts, 32 pixels")
        page.locator("#file").set_input_files(photograph)
        expect(page.locator("#shown")).to_be_visible()
        kept = "[localStorage.length, sessionStorage.length, document.cookie, location.search]"
        assert page.evaluate(kept) == [0, 0, "", ""]
        page.close()


def test_without_experts_answers_their_column_is_left_out(page: Page, photograph: Path) -> None:
    def leave_out(route: Any) -> None:
        response = route.fetch()
        route.fulfill(response=response, json={**response.json(), "experts": None})

    page.route(re.compile("/explore"), leave_out)
    page.locator("#file").set_input_files(photograph)
    expect(page.locator("#experts tr")).to_have_count(3)
    assert texts(page, 3) == []
    expect(page.get_by_role("columnheader", name="Says alone")).to_be_hidden()


def test_one_network_has_an_answer_and_no_experts(
    browser: Browser, plain_run: Run, photograph: Path, tmp_path: Path
) -> None:
    bundle = mixqual.export(plain_run.out, tmp_path / "one.mixqual", model="all").path
    with running(bundle) as client:
        page = browser.new_page(viewport=WIDE)
        told: list[str] = []
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto(str(client.base_url))
        expect(page.locator("#about")).to_contain_text("4 classes, one network, 32 pixels")
        page.locator("#file").set_input_files(photograph)
        found = explored(client, photograph, "")
        expect(page.locator("#shown")).to_have_attribute("src", found["image"])
        expect(page.locator("#class-name")).to_have_text(found["prediction"]["class_name"])
        expect(page.locator("#verdict")).to_have_text(found["prediction"]["verdict"])
        expect(page.locator("#estimate")).to_have_text("")
        expect(page.locator("#gated")).to_be_hidden()
        assert page.locator("#classes tr").count() == 4
        assert told == []
        page.close()


def test_its_policy_lets_nothing_in(client: httpx.Client) -> None:
    for url in ("/", "/page.js", "/page.css"):
        found = client.get(url)
        policy = found.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http:" not in found.text.replace("http-equiv", "")
    html = client.get("/").text
    assert not re.search(r"\son\w+=|style=|<script(?! type=\"module\" src)", html)


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow"]
)
def test_it_is_accessible_and_fits(
    browser: Browser, client: httpx.Client, photograph: Path, viewport: Any, scheme: Any
) -> None:
    page = browser.new_page(
        viewport=viewport, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True
    )
    page.goto(str(client.base_url))
    page.locator("#file").set_input_files(photograph)
    expect(page.locator("#shown")).to_be_visible()
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
