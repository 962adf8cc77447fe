"""Tables as LaTeX, with the rules of `booktabs`."""

import re
from collections.abc import Sequence

from mixqual.layout import Table

PREAMBLE = r"% Needs \usepackage{booktabs} and \usepackage{graphicx}."

_CHARACTERS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # bare, it would be the optional argument of a rule or of the end of a row
    "]": "{]}",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "×": r"$\times$",
    "±": r"$\pm$",
    "σ": r"$\sigma$",
    "λ": r"$\lambda$",
    "τ": r"$\tau$",
}
_TOKENS = re.compile(
    r"(?<!\w)M_(?P<model>[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)(?!\w)"
    r"|(?<![\w.])(?P<sign>[+−])(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<ligature>[-',])(?=(?P=ligature))"
    r"|(?P<space>[\s\x00-\x1f\x7f-\x9f]+)"
    r"|(?P<character>[" + re.escape("".join(_CHARACTERS)) + "])"
)
_FITTING = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def escape(text: str) -> str:
    """Text as LaTeX that prints it: M_mix with a subscript, signed numbers with a true minus."""
    return _TOKENS.sub(_token, text)


def to_latex(table: Table) -> str:
    """A table with its title, warnings and notes; made narrower where it is wider than a line."""
    columns = "".join("r" if align == "right" else "l" for align in table.align)
    lines = [r"\begin{table}[htbp]", r"\centering", rf"\caption{{{escape(table.title)}}}"]
    lines += [rf"\textbf{{{escape(warning)}}}\par" for warning in table.warnings]
    lines += [_FITTING, rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _row(table.header)]
    lines.append(r"\midrule")
    for index, row in enumerate(table.rows):
        if index and index in table.rules:
            lines.append(r"\midrule")
        lines.append(_row(row))
    lines += [r"\bottomrule", r"\end{tabular}}"]
    if table.notes:
        lines += [r"\par\medskip", r"\begin{minipage}{\linewidth}\footnotesize"]
        lines += [rf"{escape(note)}\par" for note in table.notes]
        lines.append(r"\end{minipage}")
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def latex_page(tables: Sequence[Table]) -> str:
    """Tables as a file to be included, one float each."""
    return "\n".join([PREAMBLE, *(to_latex(table) for table in tables)])


def _row(cells: Sequence[str]) -> str:
    return " & ".join(escape(cell) for cell in cells) + r" \\"


def _token(found: re.Match[str]) -> str:
    if found["model"]:
        subscript = found["model"].replace("_", r"\_")
        return rf"$M_{{\mathrm{{{subscript}}}}}$"
    if found["sign"]:
        return f"${'+' if found['sign'] == '+' else '-'}{found['number']}$"
    if found["ligature"]:
        return found["ligature"] + "{}"
    return " " if found["space"] else _CHARACTERS[found["character"]]
