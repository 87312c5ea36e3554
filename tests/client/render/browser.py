"""What the tests of pages in a browser share: a browser, how it opens a page, what is asked of every page.

Needs Debian's chromium, chromium-driver and python3-selenium; without them the tests are skipped.
"""
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SKIPPED = 77
try:
    from selenium import webdriver
    from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys  # noqa: F401 (for tests)
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    print("skipped: there is no python3-selenium")
    sys.exit(SKIPPED)
if not shutil.which("chromedriver") or not shutil.which("chromium"):
    print("skipped: there is no chromium, or no chromium-driver")
    sys.exit(SKIPPED)

WIDTHS = [390, 1280, 1600]
# Of a machine that has much else to do.
PATIENCE_S = 120
# The program that writes pages, and where pictures go, if anywhere.
WRITE_PAGE = sys.argv[1] if len(sys.argv) > 1 else ""
PICTURES = sys.argv[2] if len(sys.argv) > 2 else ""


def contrast(one, other):
    """WCAG's contrast of two colours as the browser tells them, 'rgb(1, 2, 3)'."""

    def luminance(colour):
        channels = [int(x) / 255 for x in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


class BrowserTest(unittest.TestCase):
    """Of the pages NAMES, of which the first is the usual one."""

    NAMES = []

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="assay-page-")
        for name in cls.NAMES:
            subprocess.run([WRITE_PAGE, name, os.path.join(cls.folder, name + ".html")], check=True)
        options = webdriver.ChromeOptions()
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--user-data-dir=" + os.path.join(cls.folder, "profile"),
        ]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = Service(shutil.which("chromedriver"))
        for attempts_left in [2, 1, 0]:
            try:
                cls.driver = webdriver.Chrome(service=service, options=options)
                break
            except WebDriverException:
                # A machine that is very busy lets the browser's own patience run out.
                if attempts_left == 0:
                    raise
        cls.driver.set_page_load_timeout(PATIENCE_S)
        cls.driver.set_script_timeout(PATIENCE_S)

    @classmethod
    def tearDownClass(cls):
        cls.driver.quit()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def open(self, name="", width=1280, scheme="light", script=True):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        command = self.driver.execute_cdp_cmd
        command("Emulation.setDeviceMetricsOverride", metrics)
        command("Emulation.setScriptExecutionDisabled", {"value": not script})
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        command("Emulation.setEmulatedMedia", {"features": media})
        self.driver.get("file://" + os.path.join(self.folder, (name or self.NAMES[0]) + ".html"))

    def wait(self, condition, message):
        patience = WebDriverWait(
            self.driver, PATIENCE_S, ignored_exceptions=[StaleElementReferenceException]
        )
        patience.until(lambda driver: condition(), message)

    def js(self, code, *arguments):
        return self.driver.execute_script("return " + code, *arguments)

    def column(self, table, index):
        code = """[...arguments[0].tBodies[arguments[0].tBodies.length - 1].rows]
            .filter(row => !row.hidden).map(row => row.cells[arguments[1]].textContent)"""
        return self.js(code, table, index)

    def header(self, table, index):
        return table.find_elements(By.CSS_SELECTOR, "thead th")[index]

    def check_contrast(self, least_pairs):
        for scheme in ["light", "dark"]:
            self.open(scheme=scheme)
            pairs = self.js(
                """[...document.querySelectorAll(
                    'td.cell, .verdict, .about, caption, figcaption, th.bad, td.notice, td.good')]
                  .map(element => {
                    let behind = element;
                    const clear = 'rgba(0, 0, 0, 0)';
                    while (getComputedStyle(behind).backgroundColor === clear) {
                      behind = behind.parentElement;
                    }
                    return [element.className, getComputedStyle(element).color,
                            getComputedStyle(behind).backgroundColor];
                  })"""
            )
            self.assertGreater(len(pairs), least_pairs)
            for name, ink, paper in pairs:
                self.assertGreaterEqual(contrast(ink, paper), 4.5, (scheme, name, ink, paper))
            yield pairs

    def check_widths(self):
        for name in self.NAMES:
            for width in WIDTHS:
                self.open(name, width)
                self.assertEqual(self.js("window.innerWidth"), width)
                self.assertLessEqual(
                    self.js("document.documentElement.scrollWidth"), width, (name, width)
                )
                # Pictures and tables stay in their boxes.
                out = self.js(
                    """[...document.querySelectorAll('main p, main h3, figcaption, li, .scroll')]
                      .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
                      .map(e => e.outerHTML.slice(0, 100))"""
                )
                self.assertEqual(out, [], (name, width))

    def check_silence(self):
        """That nothing was loaded, and nothing said on the console, since the logs were emptied; what was
        asked for, the page itself and images within it."""
        self.assertEqual(self.js("performance.getEntriesByType('resource').length"), 0)
        self.assertEqual(self.driver.get_log("browser"), [])
        requests = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                requests.append(message["params"]["request"]["url"])
        self.assertEqual([r for r in requests if not r.startswith(("file://", "data:"))], [])
        return requests

    def check_tab(self):
        self.open()
        body = self.driver.find_element(By.TAG_NAME, "body")
        body.send_keys(Keys.TAB)
        first = self.driver.switch_to.active_element
        self.assertEqual(first.get_attribute("class"), "skip")
        self.assertGreaterEqual(self.js("arguments[0].getBoundingClientRect().left", first), 0)
        first.send_keys(Keys.ENTER)
        self.wait(
            lambda: self.driver.switch_to.active_element.get_attribute("id") == "main", "skip link"
        )
        seen = []
        for _ in range(12):
            self.driver.switch_to.active_element.send_keys(Keys.TAB)
            element = self.driver.switch_to.active_element
            seen.append(element)
            style = self.js("getComputedStyle(arguments[0]).outlineStyle", element)
            self.assertNotEqual(style, "none", element.get_attribute("outerHTML")[:200])
        self.assertEqual(len({element.id for element in seen}), len(seen))

    def print_page(self):
        """The PDF of the page in a dark browser, and the colour of its paper."""
        self.open(scheme="dark")
        printed = self.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": "print", "features": features}
        )
        paper = self.js("getComputedStyle(document.body).backgroundColor")
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        pdf = base64.b64decode(printed["data"])
        if PICTURES:
            with open(os.path.join(PICTURES, self.NAMES[0] + ".pdf"), "wb") as file:
                file.write(pdf)
        return pdf, paper

    def take_pictures(self):
        for name in self.NAMES:
            for scheme in ["light", "dark"]:
                for width in WIDTHS:
                    self.open(name, width, scheme)
                    height = min(16000, self.js("document.documentElement.scrollHeight"))
                    shot = self.driver.execute_cdp_cmd(
                        "Page.captureScreenshot",
                        {
                            "captureBeyondViewport": True,
                            "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1},
                        },
                    )
                    path = os.path.join(PICTURES, f"{name}-{scheme}-{width}.png")
                    with open(path, "wb") as file:
                        file.write(base64.b64decode(shot["data"]))


def main(usage):
    if not WRITE_PAGE:
        sys.exit(usage)
    unittest.main(argv=sys.argv[:1], verbosity=2)
