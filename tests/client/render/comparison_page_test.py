#!/usr/bin/python3
"""The page of a comparison in a browser: comparison_page_test.py WRITE_PAGE [FOLDER_FOR_PICTURES]"""
import unittest

from browser import BrowserTest, By, PICTURES, main


class ComparisonPageTest(BrowserTest):
    NAMES = ["two", "four", "two-many", "two-hostile"]

    def classes(self):
        return self.driver.find_element(By.CSS_SELECTOR, "#condition-1 table.sortable")

    def test_numbers_can_be_read(self):
        self.open()
        self.assertIn("resnet-adv-88ab01", self.driver.find_element(By.TAG_NAME, "h1").text)
        verdict = self.driver.find_element(By.CLASS_NAME, "verdict").text
        self.assertRegex(verdict, r"^B against A: .*under \d+ condition")
        # What the overview says of the pair is what the condition says of it.
        overview = self.driver.find_element(By.CSS_SELECTOR, "#accuracy table")
        pair = self.driver.find_element(By.CSS_SELECTOR, "#condition-1 table")
        self.assertEqual(self.column(overview, 3)[0], self.column(pair, 8)[0])
        only_a, only_b = int(self.column(pair, 2)[0]), int(self.column(pair, 3)[0])
        points = float(self.column(pair, 8)[0].split(" ")[0])
        self.assertAlmostEqual(100 * (only_b - only_a) / 600, points, delta=0.051)
        # And classes add up to it.
        self.assertEqual(sum(int(n) for n in self.column(self.classes(), 2)), only_a)
        self.assertEqual(sum(int(n) for n in self.column(self.classes(), 3)), only_b)

    def test_changes_are_sorted_by_click(self):
        self.open()
        table = self.classes()
        button = self.header(table, 4).find_element(By.TAG_NAME, "button")
        for sign in [1, -1]:
            button.click()
            changes = [float(text.split(" ")[0]) for text in self.column(table, 4)]
            self.assertEqual(changes, sorted(changes, reverse=sign < 0))
            self.assertGreater(len(set(changes)), 2)

    def test_matrices_are_pictures_with_numbers(self):
        self.open("four")
        titles = self.js(
            """[...document.querySelectorAll('#condition-1 .pair table')].map(
                table => [table.tHead.rows[0].cells[0].textContent,
                          table.querySelectorAll('td.cell').length])"""
        )
        self.assertEqual(
            [title for title, cells in titles if cells == 12],
            ["agree %", "error consist.", "JS bits", "linear CKA", "10-NN Jaccard", "new heads agree %"],
        )
        # Symmetric: what A and B agree on does not depend on who is asked first.
        agree = self.driver.find_element(By.CSS_SELECTOR, "#condition-1 .pair table")
        rows = [self.column(agree, i) for i in range(1, 5)]
        for i in range(4):
            for j in range(4):
                self.assertEqual(rows[i][j], rows[j][i])
        self.assertEqual(
            self.js("document.querySelectorAll('#transfer td.cell').length"), 16
        )

    def test_a_search_finds_classes_that_are_not_shown(self):
        self.open("two-many")
        table = self.classes()
        self.assertEqual(len(self.column(table, 0)), 40)
        tools = self.driver.find_element(By.CSS_SELECTOR, "#condition-1 .tools")
        tools.find_element(By.TAG_NAME, "button").click()
        self.wait(lambda: len(self.column(table, 0)) == 1000, "all classes")

    def test_tab_goes_through_the_page_and_focus_is_seen(self):
        self.check_tab()

    def test_text_stands_out_in_every_colour(self):
        self.assertEqual(len(list(self.check_contrast(10))), 2)

    def test_the_page_is_never_wider_than_its_window(self):
        self.check_widths()

    def test_nothing_is_loaded_and_nothing_is_said_on_the_console(self):
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.open()
        self.driver.find_element(By.ID, "theme").click()
        self.check_silence()

    def test_names_that_are_markup_stay_text(self):
        self.open("two-hostile")
        self.assertFalse(self.js("window.owned === true"))
        self.assertEqual(self.js("document.images.length"), 0)
        self.assertIn("<script>owned=true</script>", self.column(self.classes(), 0)[0])

    def test_without_script_it_is_a_document(self):
        self.open(script=False)
        rows = self.driver.find_elements(By.CSS_SELECTOR, "#condition-1 tbody tr")
        self.assertGreaterEqual(len(rows), 10)

    def test_it_prints_in_light_colours(self):
        pdf, paper = self.print_page()
        self.assertTrue(pdf.startswith(b"%PDF-"))
        self.assertEqual(paper, "rgb(255, 255, 255)")

    @unittest.skipUnless(PICTURES, "no folder for pictures")
    def test_pictures(self):
        self.take_pictures()


if __name__ == "__main__":
    main(__doc__)
