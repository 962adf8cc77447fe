"""Whether LaTeX is well formed, and what it prints; for tests."""

import re

_PRINTED = {
    r"\textbackslash{}": "\\",
    r"\textasciicircum{}": "^",
    r"\textasciitilde{}": "~",
    r"\textasciigrave{}": "`",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"\symbol{34}": '"',
    r"\ldots{}": "…",
    r"$\times$": "×",
    r"$\pm$": "±",
    r"$\sigma$": "σ",
    r"$\tau$": "τ",
    r"$\lambda$": "λ",
    "$-$": "−",
    "---": "—",
    "--": "–",
    "{[}": "[",
    "{]}": "]",
    "{}": "",
    **{rf"\{mark}": mark for mark in "{}$&#%_"},
}
_READ = re.compile(
    r"\$M_\{\\mathrm\{(?P<model>(?:\\_|[^}])*)\}\}\$"
    r"|\$(?P<sign>[+-])(?P<number>[\d.]+)\$"
    r"|(?P<mark>" + "|".join(map(re.escape, _PRINTED)) + ")"
)


def printed(latex: str) -> str:
    """The text that LaTeX prints, for what `escape` makes."""

    def read(found: re.Match[str]) -> str:
        if found["model"]:
            return "M_" + found["model"].replace(r"\_", "_")
        if found["sign"]:
            return ("−" if found["sign"] == "-" else "+") + found["number"]
        return _PRINTED[found["mark"]]

    return _READ.sub(read, latex)


def check_form(latex: str) -> None:
    """Fail unless braces, environments and formulas are closed and nothing special is bare."""
    bare = re.sub(r"\\[\\{}$&#%_]", " ", latex)
    depth = 0
    for mark in re.findall(r"[{}]", bare):
        depth += 1 if mark == "{" else -1
        assert depth >= 0, "a brace is closed that was not opened"
    assert depth == 0, "a brace is open"
    open_ones: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", bare):
        if kind == "begin":
            open_ones.append(name)
        else:
            assert open_ones.pop() == name
    assert not open_ones
    formulas = bare.split("$")
    assert len(formulas) % 2 == 1, "a formula is open"
    for text in formulas[::2]:
        assert not re.search(r"[#_^~]", text), f"bare in text: {text}"
        assert text.replace("{!}{%\n", "").count("%") == text.count("% Needs")
        assert "\n\n" not in text.replace("\n\n\\begin", "")
    for formula in formulas[1::2]:
        assert re.fullmatch(
            r"[+-]?[\d.]*|\\(times|pm|sigma|lambda|tau)|M_\{\\mathrm\{[\w. ]+\}\}",
            formula,
            re.ASCII,
        ), formula
