"""The page in a browser, with the things a reader does. Needs chromium and chromedriver; else these tests are skipped.

AXE_CORE=<path of axe.min.js> checks accessibility too (npm install axe-core puts it into node_modules/axe-core).
"""

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from stages.lib.files import ROOT
from stages.report.__main__ import report

DRIVER = shutil.which("chromedriver")
AXE = os.environ.get("AXE_CORE")
pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.skipif(DRIVER is None or not shutil.which("chromium"), reason="needs chromium and chromedriver"),
]
MSE = {"metric": "validation.mse"}
LOWER = {"kind": "lower", "statement": "a ends lower", "run": "a", "against": "b", **MSE}


class Browser:
    """A session of the WebDriver protocol (W3C), which is JSON over HTTP."""

    def __init__(self, server: str, width: int, dark: bool = False) -> None:
        options: dict[str, Any] = {
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={width},900"],
        }
        # Windows have a least width; a phone is emulated.
        options["mobileEmulation"] = {"deviceMetrics": {"width": width, "height": 900, "pixelRatio": 1.0}}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        started = requests.post(f"{server}/session", json={"capabilities": {"alwaysMatch": wanted}}, timeout=60)
        self.url = f"{server}/session/{started.json()['value']['sessionId']}"
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])

    def command(self, name: str, **parameters: Any) -> Any:
        return self._post("goog/cdp/execute", cmd=name, params=parameters)

    def open(self, path: Path, fragment: str = "") -> None:
        self._post("url", url=f"{path.resolve().as_uri()}{fragment}")

    def run(self, script: str, *arguments: Any) -> Any:
        return self._post("execute/sync", script=script, args=list(arguments))

    def wait(self, script: str, *arguments: Any) -> Any:
        return self._post("execute/async", script=script, args=list(arguments))

    def find(self, selector: str) -> str:
        element: dict[str, str] = self._post("element", using="css selector", value=selector)
        return next(iter(element.values()))

    def click(self, selector: str) -> None:
        self._post(f"element/{self.find(selector)}/click")

    def displays(self, selector: str) -> bool:
        answer = requests.get(f"{self.url}/element/{self.find(selector)}/displayed", timeout=60)
        return bool(answer.json()["value"])

    def type(self, selector: str, text: str) -> None:
        self._post(f"element/{self.find(selector)}/value", text=text)

    def clear(self) -> None:
        self.click("button[type=reset]")
        self.wait("setTimeout(arguments[0], 50)")

    def rows(self) -> list[str]:
        """Ids of the statements that can be seen, in their order."""
        return self.run(
            "return [...document.querySelectorAll('.statements > tbody')].filter(row => row.offsetHeight)"
            ".map(row => row.querySelector('th a').hash.slice(1))"
        )

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self._post("se/log", type="browser")]

    def _post(self, command: str, **content: Any) -> Any:
        value = requests.post(f"{self.url}/{command}", json=content, timeout=60).json()["value"]
        assert not (isinstance(value, dict) and "stacktrace" in value), value
        return value


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    process = subprocess.Popen([str(DRIVER), "--port=0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    started = (re.search(r"successfully on port (\d+)", line) for line in process.stdout)
    yield f"http://127.0.0.1:{next(match[1] for match in started if match)}"
    process.terminate()
    process.wait()


@pytest.fixture
def browser(server: str) -> Iterator[Callable[..., Browser]]:
    opened: list[Browser] = []

    def start(width: int = 1200, **how: Any) -> Browser:
        opened.append(Browser(server, width, **how))
        return opened[-1]

    yield start
    for one in opened:
        requests.delete(one.url, timeout=60)


@pytest.fixture
def path(study: Any) -> Path:
    """A page of six statements: of report A and ours, with different verdicts, one with readings and a figure."""
    study.add("a", (0.7, 0.7, 0.7)).add("b", (1.2, 1.2, 1.2)).add("c", (0.7, 0.7, 0.7)).add("a-shared", (1.2, 1.2, 1.2))
    study.sections |= {"title": "Reports, rerun", "headings": {"sts": {"title": "Pairs"}}}
    study.sections["departures"] = {"short": {"text": "shorter", "affects": ["order"], "runs": ["a-shared"]}}
    study.sections["figures"] = {
        "first": {
            "kind": "curves",
            "group": "g",
            "baseline": "g",
            "title": "Two runs",
            "runs": {"a": "run a", "b": "run b"},
            "curve": "train_loss",
            "x_label": "step",
            "y_label": "loss",
        }
    }
    readings = {"separate": {"because": "of the start"}, "shared": {"suffix": "-shared"}}
    study.ask(LOWER, name="first", title="Zebras?", readings=readings, metrics=["validation.mse", "test.pearson"])
    study.ask(LOWER | {"run": "b", "against": "a"}, name="second", title="Apes?", metrics=["test.mse"])
    study.ask(LOWER | {"against": "c"}, name="third", title="Bees?")
    study.ask(LOWER | {"run": "a-shared", "against": "a"}, name="fourth", title="Cows?")
    study.ask(LOWER, name="fifth", title="Dogs?", report="ours", quote="", reported="")
    study.ask({"kind": "any", "statement": "either", "checks": [LOWER, LOWER | {"against": "c"}]}, name="sixth")
    study.write()
    figures = study.root / "metrics/full/figures"
    figures.mkdir()
    size = 'width="640" height="440"'
    (figures / "first.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg' {size}><rect {size}/></svg>")
    return report("full", study.root)


ALL = ["first", "second", "third", "fourth", "fifth", "sixth"]


def test_a_reader_filters_and_sorts(browser: Any, path: Path) -> None:
    reader = browser()
    reader.open(path)
    assert reader.rows() == ALL
    reader.type("#f-text", "cows")
    assert reader.rows() == ["fourth"]
    assert reader.run("return document.getElementById('f-count').textContent") == "1 of 6"
    reader.clear()
    assert reader.rows() == ALL
    reader.type("#f-report", "ours")
    assert reader.rows() == ["fifth"]
    reader.clear()
    reader.type("#f-evidence", "contradicted")
    assert reader.rows() == ["second", "fourth"]
    reader.type("#f-fidelity", "with departures")
    assert reader.rows() == ["fourth"]
    reader.clear()
    reader.type("#f-sort", "statement")
    assert reader.rows() == ["second", "third", "fourth", "fifth", "sixth", "first"]
    reader.clear()
    assert reader.rows() == ALL
    assert reader.complaints() == []


def test_a_link_opens_its_statement(browser: Any, path: Path) -> None:
    reader = browser()
    reader.open(path)
    assert reader.run("return document.querySelectorAll('.more details[open]').length") == 0
    reader.click("th a[href='#first']")
    reader.wait("setTimeout(arguments[0], 100)")
    assert reader.run("return document.getElementById('first').offsetHeight") > 100
    reader.open(path, "#third")
    reader.wait("setTimeout(arguments[0], 100)")
    assert reader.run("return document.getElementById('third').offsetHeight") > 100


def test_without_scripts_everything_can_be_read(browser: Any, path: Path) -> None:
    """A copy without its script, as WebDriver itself needs scripts to be allowed."""
    bare = path.with_name("bare.html")
    bare.write_text(re.sub(r"<script>.*</script>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL))
    reader = browser()
    reader.open(bare)
    assert not reader.displays("form")
    reader.click("th a[href='#first']")
    assert reader.displays("#first blockquote")
    for name in ALL[1:]:
        reader.click(f"tbody:has([href='#{name}']) summary")
        assert reader.displays(f"#{name} h3")


@pytest.mark.parametrize("width", [360, 768, 1200])
def test_nothing_is_wider_than_the_window(browser: Any, path: Path, width: int) -> None:
    reader = browser(width)
    reader.open(path)
    reader.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert reader.run("return [document.documentElement.scrollWidth, innerWidth]") == [width, width]
    small = reader.run(
        "return [...document.querySelectorAll('.opened *')].filter(one => one.offsetHeight && !one.childElementCount"
        " && one.textContent.trim() && parseFloat(getComputedStyle(one).fontSize) < 12).map(one => one.className)"
    )
    assert small == []


def test_closed_it_prints_on_few_pages_and_says_all_verdicts(browser: Any, path: Path) -> None:
    reader = browser()
    reader.open(path)
    content = base64.b64decode(reader.command("Page.printToPDF", printBackground=False)["data"])
    assert content.count(b"/Type /Page\n") == 1
    reader.command("Emulation.setEmulatedMedia", media="print")
    assert reader.run("return document.querySelector('form').offsetHeight") == 0
    assert reader.run("return document.querySelector('.more').offsetHeight") == 0
    reader.run("document.querySelector('.more details').open = true")
    assert reader.run("return document.querySelector('#first').offsetHeight") > 100


@pytest.mark.skipif(AXE is None, reason="needs AXE_CORE")
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (360, False), (360, True)])
def test_axe_finds_nothing(browser: Any, path: Path, width: int, dark: bool) -> None:
    reader = browser(width, dark=dark)
    reader.open(path)
    reader.run("for (const one of document.querySelectorAll('details')) one.open = true")
    reader.run(Path(ROOT, str(AXE)).read_text(encoding="utf-8"))
    found = reader.wait("axe.run().then(result => arguments[0](result.violations))")
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
