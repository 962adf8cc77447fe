import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latex_form import check_form, printed
from report_samples import sample_results

from mixqual.layout import Table
from mixqual.report import latex_page, report_tables, to_latex
from mixqual.report.latex import escape

TRICKY = st.text(
    st.one_of(st.sampled_from("\\{}$&#%_^~<>|\"'`[]−–—…×±σλ+-.,M_09 \n\t\x00"), st.characters())
)

SMALL = Table(
    title="Small & 50 %",
    header=("Model", "AUC"),
    rows=(("M_all_long", "−0.022 [−0.030, +0.014]"), ("[c]", "–")),
    align=("left", "right"),
    fields=("model", "auc"),
    records=(("a", 0.1), ("c", None)),
    rules=(1,),
    notes=("Better by 0.1 ± 0.05.",),
    warnings=("BEWARE",),
)


def body(latex: str) -> list[str]:
    inside = latex.split(r"\begin{tabular}", 1)[1].split(r"\end{tabular}", 1)[0]
    return [line for line in inside.splitlines() if line.endswith(r"\\")]


def test_by_hand() -> None:
    assert to_latex(SMALL) == (
        "\\begin{table}[htbp]\n"
        "\\centering\n"
        "\\caption{Small \\& 50 \\%}\n"
        "\\textbf{BEWARE}\\par\n"
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"
        "\\begin{tabular}{lr}\n"
        "\\toprule\n"
        "Model & AUC \\\\\n"
        "\\midrule\n"
        "$M_{\\mathrm{all\\_long}}$ & $-0.022$ {[}$-0.030$, $+0.014${]} \\\\\n"
        "\\midrule\n"
        "{[}c{]} & -- \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}}\n"
        "\\par\\medskip\n"
        "\\begin{minipage}{\\linewidth}\\footnotesize\n"
        "Better by 0.1 $\\pm$ 0.05.\\par\n"
        "\\end{minipage}\n"
        "\\end{table}\n"
    )


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("M_mix.", r"$M_{\mathrm{mix}}$."),
        ("M_all_tree_blocks.5, of", r"$M_{\mathrm{all\_tree\_blocks.5}}$, of"),
        ("seed−1", "seed$-$1"),
        ("+0.5", "$+0.5$"),
        ("1e+5", "1e+5"),
        ("a--b", "a-{}-b"),
        ("[]", "{[}{]}"),
        ("two\n\nparagraphs", "two paragraphs"),
    ],
)
def test_texts_by_hand(text: str, latex: str) -> None:
    assert escape(text) == latex


@given(TRICKY)
def test_any_text_is_printed_as_it_is(text: str) -> None:
    latex = escape(text)
    check_form(latex)
    assert printed(latex) == re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text)


@given(st.lists(st.tuples(TRICKY, TRICKY, TRICKY), min_size=1, max_size=4), TRICKY)
@settings(max_examples=60)
def test_a_table_of_any_names_is_well_formed(rows: list[tuple[str, str, str]], title: str) -> None:
    table = Table(
        title=title,
        header=("A", "B", "C"),
        rows=tuple(rows),
        align=("left", "right", "right"),
        fields=("a", "b", "c"),
        records=(),
        rules=tuple(range(len(rows))),
        notes=(title,),
        warnings=(title,),
    )
    latex = to_latex(table)
    check_form(latex)
    lines = body(latex)
    assert len(lines) == 1 + len(rows)
    assert all(len(re.findall(r"(?<!\\)&", line)) == 2 for line in lines)


@pytest.mark.parametrize("distortions", [1, 6])
def test_every_table_of_a_report_is_well_formed(distortions: int) -> None:
    tables = report_tables(sample_results(distortions, gate_works=False, trees=True))
    page = latex_page(tables)
    check_form(page)
    assert page.count(r"\begin{tabular}") == page.count(r"\bottomrule") == len(tables)
    for table in tables:
        latex = to_latex(table)
        assert latex in page
        rules = len(set(table.rules) - {0})
        assert latex.count(r"\midrule") == 1 + rules
        for line, row in zip(body(latex), (table.header, *table.rows), strict=True):
            cells = re.split(r" & ", line.removesuffix(r" \\"))
            assert [printed(cell) for cell in cells] == list(row)
