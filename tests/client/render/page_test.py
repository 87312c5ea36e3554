#!/usr/bin/python3
"""The page of a report in a browser: page_test.py WRITE_PAGE [FOLDER_FOR_PICTURES]

Needs Debian's chromium, chromium-driver and python3-selenium; without them the test is skipped.
"""
import re
import unittest

from browser import BrowserTest, By, Keys, PICTURES, contrast, main

VERDICT = r"Lowest (is the certified )?accuracy \d+\.\d \[\d+\.\d, \d+\.\d\] % under \w+/"


class PageTest(BrowserTest):
    NAMES = ["cifar", "many", "hostile", "examples", "large"]

    def class_table(self):
        return self.driver.find_element(By.CSS_SELECTOR, "#condition-1 table.sortable")

    def accuracies(self, table):
        return [float(text.split(" ")[0]) for text in self.column(table, 2)]

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
        self.check_tab()

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
        for pairs in self.check_contrast(100):
            self.assertGreater(len({name for name, _, _ in pairs if "cell" in name}), 8)

    def test_the_page_is_never_wider_than_its_window(self):
        self.check_widths()

    def test_nothing_is_loaded_and_nothing_is_said_on_the_console(self):
        for name in ["cifar", "examples"]:
            self.driver.get_log("browser")
            self.driver.get_log("performance")
            self.open(name)
            self.driver.find_element(By.ID, "theme").click()
            self.header(self.class_table(), 2).find_element(By.TAG_NAME, "button").click()
            requests = self.check_silence()
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
        pdf, paper = self.print_page()
        self.assertTrue(pdf.startswith(b"%PDF-"))
        self.assertEqual(paper, "rgb(255, 255, 255)")

    @unittest.skipUnless(PICTURES, "no folder for pictures")
    def test_pictures(self):
        self.take_pictures()


if __name__ == "__main__":
    main(__doc__)
