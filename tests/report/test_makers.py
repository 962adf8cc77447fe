from typing import Any

from mixqual.report.makers import makers_note


def row(version: str | None, artifacts: dict[str, int], **libraries: str) -> dict[str, Any]:
    if version is None:
        return {"version": None, "artifacts": artifacts}
    told = {"commit": None, "device": "cpu: one", "libraries": libraries}
    return {"version": version, **told, "artifacts": artifacts}


def note(*rows: dict[str, Any]) -> str:
    return makers_note({"provenance": {"made_by": list(rows)}})


def test_nothing_is_said_where_all_is_the_same_or_nothing_is_told() -> None:
    assert note(row("0.1.0", {"network": 3}, torch="2.9")) == ""
    assert makers_note({"provenance": {}}) == ""
    assert note() == ""


def test_what_differs_is_named_and_nothing_else() -> None:
    told = note(
        row("0.1.0", {"network": 3, "outputs": 6}, torch="2.9", timm="1.0"),
        row("0.2.0", {"gate": 1}, torch="2.9", timm="1.1"),
    )
    assert told == (
        "Not all was made by the same versions. Artifacts: 3 of network and 6 of outputs by "
        "mixqual 0.1.0, timm 1.0; 1 of gate by mixqual 0.2.0, timm 1.1."
    )


def test_versions_that_were_not_noted_are_no_others() -> None:
    told = note(row("0.2.0", {"gate": 1}, torch="2.9"), row(None, {"network": 3}))
    assert told.endswith(
        "1 of gate by mixqual 0.2.0; 3 of network by versions that were not noted then."
    )
    assert "versions that were not noted then" in note(row(None, {"network": 3}))
