#!/usr/bin/python3
"""The page of a report in a browser: page_test.py WRITE_PAGE [FOLDER_FOR_PICTURES]

Needs Debian's chromium, chromium-driver and python3-selenium; without them the test is skipped.
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
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    print("skipped: there is no python3-selenium")
    sys.exit(SKIPPED)
if not shutil.which("chromedriver") or not shutil.which("chromium"):
    print("skipped: there is no chromium, or no chromium-driver")
    sys.exit(SKIPPED)

WRITE_PAGE = ""
PICTURES = ""
NAMES = ["cifar", "many", "hostile", "examples", "large"]
WIDTHS = [390, 1280, 1600]
# Of a machine that has much else to do.
PATIENCE_S = 120
VERDICT = r"Lowest (is the certified )?accuracy \d+\.\d \[\d+\.\d, \d+\.\d\] % under \w+/"


def contrast(one, other):
    """WCAG's contrast of two colours as the browser tells them, 'rgb(1, 2, 3)'."""

    def luminance(colour):
        channels = [int(x) / 255 for x in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="assay-page-")
        for name in NAMES:
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

    def open(self, name="cifar", width=1280, scheme="light", script=True):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        command = self.driver.execute_cdp_cmd
        command("Emulation.setDeviceMetricsOverride", metrics)
        command("Emulation.setScriptExecutionDisabled", {"value": not script})
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        command("Emulation.setEmulatedMedia", {"features": media})
        self.driver.get("file://" + os.path.join(self.folder, name + ".html"))

    def wait(self, condition, message):
        patience = WebDriverWait(
            self.driver, PATIENCE_S, ignored_exceptions=[StaleElementReferenceException]
        )
        patience.until(lambda driver: condition(), message)

    def js(self, code, *arguments):
        return self.driver.execute_script("return " + code, *arguments)

    def class_table(self):
        return self.driver.find_element(By.CSS_SELECTOR, "#condition-1 table.sortable")

    def column(self, table, index):
        code = """[...arguments[0].tBodies[arguments[0].tBodies.length - 1].rows]
            .filter(row => !row.hidden).map(row => row.cells[arguments[1]].textContent)"""
        return self.js(code, table, index)

    def accuracies(self, table):
        return [float(text.split(" ")[0]) for text in self.column(table, 2)]

    def header(self, table, index):
        return table.find_elements(By.CSS_SELECTOR, "thead th")[index]

    def test_numbers_can_be_read(self):
        self.open()
        self.assertIn("resnet-0f3c12", self.driver.find_element(By.TAG_NAME, "h1").text)
        verdict = self.driver.find_element(By.CLASS_NAME, "verdict").text
        self.assertRegex(verdict, VERDICT)
        table = self.class_table()
        self.assertEqual(len(self.column(table, 0)), 10)
        # What the confusion matrix says of a class is what its row says.
        matrix = self.driver.find_element(By.CSS_SELECTOR, "#condition-1 table.matrix")
        right = self.js("arguments[0].tBodies[0].rows[3].cells[4].textContent", matrix)
        samples = self.column(table, 1)[3]
        self.assertAlmostEqual(
            100 * int(right) / int(samples), self.accuracies(table)[3], delta=0.051
        )

    def test_classes_are_sorted_by_click(self):
        self.open()
        table = self.class_table()
        header = self.header(table, 2)
        button = header.find_element(By.TAG_NAME, "button")
        self.assertIsNone(header.get_attribute("aria-sort"))
        button.click()
        self.assertEqual(header.get_attribute("aria-sort"), "ascending")
        shown = self.accuracies(table)
        self.assertEqual(shown, sorted(shown))
        self.assertGreater(len(set(shown)), 2)
        button.click()
        self.assertEqual(header.get_attribute("aria-sort"), "descending")
        self.assertEqual(self.accuracies(table), sorted(shown, reverse=True))
        self.header(table, 0).find_element(By.TAG_NAME, "button").click()
        self.assertIsNone(header.get_attribute("aria-sort"))
        names = self.column(table, 0)
        self.assertEqual(names, sorted(names))

    def test_classes_are_sorted_by_keyboard(self):
        self.open()
        table = self.class_table()
        header = self.header(table, 2)
        button = header.find_element(By.TAG_NAME, "button")
        self.js("arguments[0].focus()", self.header(table, 1).find_element(By.TAG_NAME, "button"))
        self.driver.switch_to.active_element.send_keys(Keys.TAB)
        self.assertEqual(self.driver.switch_to.active_element, button)
        for key, order in [(Keys.ENTER, "ascending"), (Keys.SPACE, "descending")]:
            self.driver.switch_to.active_element.send_keys(key)
            self.wait(lambda: header.get_attribute("aria-sort") == order, order)
            shown = self.accuracies(table)
            self.assertEqual(shown, sorted(shown, reverse=order == "descending"))

    def test_tab_goes_through_the_page_and_focus_is_seen(self):
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

    def test_the_dark_is_the_systems_or_the_buttons(self):
        background = "getComputedStyle(document.body).backgroundColor"
        self.open(scheme="light")
        light = self.js(background)
        toggle = self.driver.find_element(By.ID, "theme")
        toggle.click()
        dark = self.js(background)
        self.assertGreater(contrast(light, dark), 10)
        toggle.click()
        self.assertEqual(self.js(background), light)
        self.open(scheme="dark")
        self.assertEqual(self.js(background), dark)
        self.driver.find_element(By.ID, "theme").click()
        self.assertEqual(self.js(background), light)

    def test_text_stands_out_in_every_colour(self):
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
            self.assertGreater(len(pairs), 100)
            self.assertGreater(len({name for name, _, _ in pairs if "cell" in name}), 8)
            for name, ink, paper in pairs:
                self.assertGreaterEqual(contrast(ink, paper), 4.5, (scheme, name, ink, paper))

    def test_the_page_is_never_wider_than_its_window(self):
        for name in NAMES:
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

    def test_nothing_is_loaded_and_nothing_is_said_on_the_console(self):
        for name in ["cifar", "examples"]:
            self.driver.get_log("browser")
            self.driver.get_log("performance")
            self.open(name)
            self.driver.find_element(By.ID, "theme").click()
            self.header(self.class_table(), 2).find_element(By.TAG_NAME, "button").click()
            self.assertEqual(self.js("performance.getEntriesByType('resource').length"), 0)
            self.assertEqual(self.driver.get_log("browser"), [])
            requests = []
            for entry in self.driver.get_log("performance"):
                message = json.loads(entry["message"])["message"]
                if message["method"] == "Network.requestWillBeSent":
                    requests.append(message["params"]["request"]["url"])
            # Images are in the page, and are "asked for" there.
            self.assertEqual([r for r in requests if not r.startswith(("file://", "data:"))], [])
            self.assertEqual(any(r.startswith("data:") for r in requests), name == "examples")
            # And nothing could be: the policy refuses even what the page's own console asks for.
            refused = self.driver.execute_async_script(
                """const done = arguments[0];
                   document.addEventListener('securitypolicyviolation',
                                             e => done(e.violatedDirective));
                   const image = new Image();
                   image.src = 'http://127.0.0.1:9/x.png';"""
            )
            self.assertEqual(refused, "img-src")

    def test_example_images_are_there_and_are_told_to_those_who_cannot_see_them(self):
        for name, fewest in [("examples", 100), ("large", 20)]:
            self.driver.get_log("browser")
            self.open(name)
            self.wait(
                lambda: self.js("[...document.images].every(image => image.complete)"), "images"
            )
            images = self.js(
                """[...document.images].map(image => [image.naturalWidth, image.naturalHeight,
                    image.getBoundingClientRect().width, image.getBoundingClientRect().height,
                    getComputedStyle(image).imageRendering, image.alt])"""
            )
            self.assertGreater(len(images), fewest)
            for width, height, shown_width, shown_height, rendering, text in images:
                self.assertGreater(width, 0, text)
                # Pixels stay squares, of whole pixels of the screen.
                self.assertEqual(shown_width % width, 0, text)
                self.assertEqual(shown_width / width, shown_height / height, text)
                self.assertEqual(rendering, "pixelated")
                self.assertRegex(text, r"^(Clean|Adversarial|Corrupted|Difference) ")
            self.assertTrue(any("taken for" in image[5] for image in images))
            self.assertEqual(self.driver.get_log("browser"), [])

    def test_names_that_are_markup_stay_text(self):
        self.open("hostile")
        self.assertFalse(self.js("window.owned === true"))
        self.assertEqual(self.js("document.images.length"), 0)
        self.assertIn("<script>owned=true</script>", self.column(self.class_table(), 0)[0])
        self.assertIn("<script>", self.driver.find_element(By.TAG_NAME, "h1").text)

    def test_a_script_that_got_in_would_not_run(self):
        self.open()
        self.js(
            """(() => { const s = document.createElement('script');
                        s.textContent = 'window.owned = true';
                        document.body.append(s); })()"""
        )
        self.assertFalse(self.js("window.owned === true"))

    def test_a_search_finds_classes_that_are_not_shown(self):
        self.open("many")
        table = self.class_table()
        self.assertEqual(len(self.column(table, 0)), 40)
        tools = self.driver.find_element(By.CSS_SELECTOR, "#condition-1 .tools")
        field = tools.find_element(By.TAG_NAME, "input")
        hidden = self.js(
            """[...arguments[0].rows].find(row => row.hidden).cells[0].textContent""", table
        )
        field.send_keys(hidden.upper())
        self.wait(lambda: hidden in self.column(table, 0), "the class that was searched for")
        self.assertLess(len(self.column(table, 0)), 40)
        field.clear()
        field.send_keys(" ", Keys.BACKSPACE)
        self.wait(lambda: len(self.column(table, 0)) == 40, "the first classes")
        tools.find_element(By.TAG_NAME, "button").click()
        self.wait(lambda: len(self.column(table, 0)) == 1000, "all classes")
        self.header(table, 2).find_element(By.TAG_NAME, "button").click()
        shown = self.accuracies(table)
        self.assertEqual(shown, sorted(shown))

    def test_without_script_it_is_a_document(self):
        self.open(script=False)
        count = len(self.driver.find_elements(By.CSS_SELECTOR, "#condition-1 tbody tr"))
        self.assertGreaterEqual(count, 10)
        for button in self.driver.find_elements(By.TAG_NAME, "button"):
            self.assertFalse(button.is_displayed())
        self.assertIn("CWA %", self.driver.find_element(By.CSS_SELECTOR, "#condition-1").text)

    def test_it_prints_in_light_colours(self):
        self.open(scheme="dark")
        printed = self.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
        pdf = base64.b64decode(printed["data"])
        self.assertTrue(pdf.startswith(b"%PDF-"))
        if PICTURES:
            with open(os.path.join(PICTURES, "page.pdf"), "wb") as file:
                file.write(pdf)
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": "print", "features": features}
        )
        paper = self.js("getComputedStyle(document.body).backgroundColor")
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        self.assertEqual(paper, "rgb(255, 255, 255)")

    @unittest.skipUnless(len(sys.argv) > 2, "no folder for pictures")
    def test_pictures(self):
        for name in NAMES:
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


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    WRITE_PAGE = sys.argv[1]
    PICTURES = sys.argv[2] if len(sys.argv) > 2 else ""
    unittest.main(argv=sys.argv[:1], verbosity=2)
