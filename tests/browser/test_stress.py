"""The Stress test tab, as a person reads it."""

import pytest

from tests.made_report import made_report, write_report

pytestmark = pytest.mark.browser


def test_the_tab_says_what_it_would_show_and_then_shows_it(person, app):
    reports = app.home / "reports"
    person.page.get_by_role("tab", name="Stress test").click()
    person.says("python -m evaluation report", "#stress-test .hw-empty")
    served = next((app.home / "weights").glob("*.safetensors")).stem
    page = "<!doctype html><p>Every figure<script>parent.document.title = 'taken'; document.write('ran')</script>"
    write_report(reports, made_report(served), page)
    person.says("99.43 % (99.26 to 99.56)", "#stress-test .reports")
    person.says("served now", "#stress-test summary")
    assert person.page.locator("#stress-test .hw-empty").is_hidden()
    person.page.get_by_role("button", name="Full report").click()
    frame = person.page.frame_locator("#stress-test iframe")
    assert frame.locator("p").inner_text() == "Every figure"  # and its script did nothing
    assert person.page.title() == "Hoodwink"
    person.page.keyboard.press("Escape")
    assert person.page.locator("#stress-test dialog").is_hidden()
    # A damaged one beside it; what was folded stays folded.
    person.page.locator("#stress-test summary").click()
    (write_report(reports, made_report("b" * 16)) / "report.json").write_text("{")
    person.says("This report cannot be read", "#stress-test .reports")
    assert person.page.locator(f"#stress-test details[data-key='{served}']").get_attribute("open") is None
