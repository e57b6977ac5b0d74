"""A section on robustness for a model card."""

from __future__ import annotations

from ._audit_report import AuditReport

__all__ = ["model_card"]


def model_card(report: AuditReport) -> str:
    """Write what an audit found as Markdown.

    Parameters
    ----------
    report : AuditReport
        The audit.

    Returns
    -------
    text : str
        Section of a model card.
    """
    return "\n".join([_result(report), _trust(report), _attacks(report), _repetition(report)])


def _result(report: AuditReport) -> str:
    found, data, threat = (report.plain[part] for part in ("accuracy", "data", "threat"))
    low, high = found["attacked_interval"]
    proven = "not known" if found["certified"] is None else f"{found['certified']:.1%}"
    box = "any value" if threat["bounds"] is None else "the range of the data"
    return f"""## Robustness

| | |
|---|---|
| Model | {report.plain["model"]["name"]} |
| Clean accuracy | {found["clean"]:.1%} |
| Robust accuracy, at most | {found["attacked"]:.1%} (95 % interval {low:.1%} to {high:.1%}) |
| Robust accuracy, at least | {proven} |
| Threat model | {report.eps_text}, within {box} |
| Samples | {data["n_samples"]:,} of {data["title"]} |
"""


def _trust(report: AuditReport) -> str:
    verdict = "No sign of gradient masking was found."
    if not report.trusted:
        signs = report.plain["verdict"]["signs"].items()
        listed = "".join(f"\n- {name}: {sign}" for name, sign in signs)
        verdict = f"**Do not rely on the number.** Signs against it:{listed}"
    return f"""### Can it be trusted?

{verdict}
"""


def _attacks(report: AuditReport) -> str:
    rows = "\n".join(
        f"| {name} | {report.kinds[name]} | {share:.1%} |"
        for name, share in report.plain["accuracy"]["by_attack"].items()
    )
    return f"""### Attacks

| attack | kind | accuracy |
|---|---|---|
{rows}

A finite attack finds an upper bound. Other changes of the input were not tried.
"""


def _repetition(report: AuditReport) -> str:
    plain = report.plain
    command = f"\n\n```\n{plain['command']}\n```" if plain["command"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in plain["versions"].items())
    return f"""### How to repeat it

Seed {plain["seed"]}; {versions}. SHA-256 of the samples: `{plain["data"]["sha256"]}`.{command}
"""
