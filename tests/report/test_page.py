"""From blocks to HTML."""

import pytest

from sklearn_robust.plotting._style import make_figure
from sklearn_robust.report._blocks import Cell, Code, Figure, Points, Table, Text
from sklearn_robust.report._page import render

TABLE = Table(
    "Scores of `nets`",
    [("net", []), ("FGSM", ["0.1", "0.2"]), ("signs", [])],
    [
        ["A", Cell("90.0", share=0.9, best=True), Cell("–"), Cell("a < b", words=True)],
        ["B & C", "1", "2", Cell("none", words=True)],
    ],
    note="**Bold** is best.",
)


@pytest.mark.parametrize(
    ("block", "html"),
    [
        (Text("a < **b** & `c`"), "<p>a &lt; <strong>b</strong> &amp; <code>c</code></p>"),
        (Text("<script>"), "<p>&lt;script&gt;</p>"),
        (Points(["a", "**b**"]), "<ul><li>a</li><li><strong>b</strong></li></ul>"),
        (Code("x < 'y'"), '<pre tabindex="0"><code>x &lt; &#x27;y&#x27;</code></pre>'),
    ],
)
def test_text(block, html, tmp_path):
    assert render(block, tmp_path) == html


@pytest.mark.parametrize(
    "part",
    [
        '<th scope="col" rowspan="2">net</th>',
        '<th scope="colgroup" colspan="2">FGSM</th>',
        '<th scope="col">0.2</th>',
        '<th scope="col" class="words" rowspan="2">signs</th>',
        '<th scope="row">B &amp; C</th>',
        '<td style="--share:0.900"><strong>90.0</strong></td>',
        '<td class="words">a &lt; b</td>',
        'aria-label="Scores of nets"',
        "<caption>Scores of <code>nets</code></caption>",
        '<colgroup span="1"><colgroup span="2"><colgroup span="1">',
        '<p class="note"><strong>Bold</strong> is best.</p>',
    ],
)
def test_tables_say_what_heads_what(part, tmp_path):
    assert part in render(TABLE, tmp_path)


def test_a_table_without_groups_has_one_line_of_headings(tmp_path):
    html = render(Table("T", [("a", []), ("b", [])], [["1", "2"]]), tmp_path)
    assert html.count("<tr>") == 2 and "rowspan" not in html


def test_figures_are_inline_with_words_for_those_who_cannot_see(tmp_path):
    def draw():
        figure, axis = make_figure(3, 2)
        axis.plot([0, 1], [0, 1])
        return figure

    (tmp_path / "figures").mkdir()
    html = render(Figure("line", draw, "A line.", 'It "rises"'), tmp_path)
    assert '<svg role="img" aria-label="It &quot;rises&quot;"' in html
    assert "<figcaption>A line.</figcaption>" in html
    assert (tmp_path / "figures" / "line.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_no_block_is_refused(tmp_path):
    with pytest.raises(TypeError, match="cannot show int"):
        render(1, tmp_path)
