"""The explorer reads the cells of a CSV as Python does, or refuses them with row and column."""

from __future__ import annotations

from typing import Any

import pytest

from portanet.data import dates
from portanet.data.categories import codes_of
from portanet.data.cells import number_of
from portanet.data.columns import truth_of
from portanet.data.labels import shortest
from portanet.storage.schema import FORMS, TIME, YES_NO, Dialect

pytest.importorskip("playwright")

DATES = (
    "2021-03-05", "2021/3/5", "2021-03/05", "2021-02-30", "2020-02-29", "2021-13-01", "0000-01-01", "0099-01-02",
    "5.3.2021", "25/3/2021", "3/25/2021", "3/4/68", "3/4/69", "31.4.2021", "5 Mar 2021", "Fri, 5 March 2021",
    "5-mar-21", "Mar 5, 2021", "March 5 2021", "Foo 5, 2021", "20210305", "20211305", "1614902400", "-86400.0",
    "-99999999999", "1e9", "2021-03-05 14:30", "2021-03-05T14:30:59.5Z", "2021-03-05 24:00", "3/4/2021 2:30 PM",
    "3/4/2021 12:05 a.m.", "5.3.2021 14:60", "2021-03-05 09:00 +02:00", "2021-03-05x", "yesterday", "", "1" * 70,
    "2021-03", "2021/13", "3/2021", "12.1999", "1200-05", "Mar 2021", "march-2021", "foo 2021", "14:30", "9:05:30.5",
    "18.00.00", "24:00", "12:60", "2:30 pm", "12:05 AM", "14.30",
)  # fmt: skip
IN_PAGE = """([texts, forms]) => forms.map((form) => texts.map((text) => {
  const moment = momentOf(text, form);
  return moment && momentParts(moment, form === "hour:minute" ? 1 : form.includes("time") ? 5 : 4);
}))"""


def test_dates_of_every_form_agree_with_python(table_page: Any, visit: Any) -> None:
    forms = [*FORMS[:-1], *(form + TIME for form in (*FORMS[:5], FORMS[-1]))]
    found = visit(table_page[0]).evaluate(IN_PAGE, [DATES, forms])
    for form, answers in zip(forms, found, strict=True):
        for text, answer in zip(DATES, answers, strict=True):
            moment = dates.parse(text, form)
            expected = None if moment is None else dates.numbers([moment], form)[0].tolist()
            assert (answer and pytest.approx(answer)) == expected, (text, form)


def test_numbers_and_categories_agree_with_python(table_page: Any, visit: Any) -> None:
    page = visit(table_page[0])
    texts = ["1.234", "1,5", "1.234,5", "-7", "1e3", ".5", "abc", "1,234.5", "12,34,567", "1,23", "1.2.345"]
    for decimal, thousands in ((".", ""), (",", "."), (",", ""), (".", ",")):
        given = {"decimal": decimal, "thousands": thousands}
        script = "([texts, d]) => texts.map((t) => plainNumber(t, d)).map((t) => (NUMERAL.test(t) ? Number(t) : null))"
        assert page.evaluate(script, [texts, given]) == [number_of(text, Dialect(**given)) for text in texts]
    signed = ["$1,234.50", "-$5", "$-5", "($ 1.234,5)", "7", "5$", "$$5", "€5", "+5 $", "- $5", "$1,5", "$", ""]
    for decimal, thousands in ((".", ""), (",", "."), (",", ""), (".", ",")):
        given = {"decimal": decimal, "thousands": thousands}
        script = "([t, d]) => t.map((t) => plainNumber(t, d, '$')).map((t) => (NUMERAL.test(t) ? Number(t) : null))"
        assert page.evaluate(script, [signed, given]) == [number_of(text, Dialect(**given), "$") for text in signed]
    texts = ["07", "7.0", "+7", "8", "x", "-0", "7.5", "1067", "01067", "001067", "99", "099"]
    values = ["7", "-0", "x", "7.5", "01067", "0099", "099"]
    known = codes_of(values)
    codes = [known.get(text) or known.get(shortest(text)) or 0 for text in texts]
    script = "([texts, field]) => texts.map((text) => codeOf(field, text))"
    assert page.evaluate(script, [texts, {"kind": "category", "values": values}]) == codes
    texts = ["YES", "t", "0", "Off", "1", "maybe", ""]
    truths = page.evaluate(script, [texts, {"kind": YES_NO, "values": ["no", "yes"]}])
    assert truths == [truth_of(text) for text in texts]


def test_an_unreadable_cell_is_named(table_page: Any, visit: Any) -> None:
    page = visit(table_page[0])
    page.get_by_label("Rows as CSV").fill("age,colour,smoker,height,day\n30,red,no,170,3/4/2021\n")
    page.get_by_role("button", name="Answer all rows").click()
    status = page.locator("#many-status").inner_text()
    assert all(fact in status for fact in ("Row 1", "day", '"3/4/2021"', "year-month-day"))
