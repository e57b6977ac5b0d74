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
    plain = report.plain
    found, data, threat = plain["accuracy"], plain["data"], plain["threat"]
    low, high = found["attacked_interval"]
    proven = "not known" if found["certified"] is None else f"{found['certified']:.1%}"
    verdict = "No sign of gradient masking was found."
    if not report.trusted:
        signs = "".join(f"\n- {name}: {sign}" for name, sign in plain["verdict"]["signs"].items())
        verdict = f"**Do not rely on the number.** Signs against it:{signs}"
    attacks = "\n".join(
        f"| {name} | {report.kinds[name]} | {share:.1%} |"
        for name, share in found["by_attack"].items()
    )
    command = f"\n\n```\n{plain['command']}\n```" if plain["command"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in plain["versions"].items())
    box = "any value" if threat["bounds"] is None else "the range of the data"
    return f"""## Robustness

| | |
|---|---|
| Model | {plain["model"]["name"]} |
| Clean accuracy | {found["clean"]:.1%} |
| Robust accuracy, at most | {found["attacked"]:.1%} (95 % interval {low:.1%} to {high:.1%}) |
| Robust accuracy, at least | {proven} |
| Threat model | {report.eps_text}, within {box} |
| Samples | {data["n_samples"]:,} of {data["title"]} |

### Can it be trusted?

{verdict}

### Attacks

| attack | kind | accuracy |
|---|---|---|
{attacks}

A finite attack finds an upper bound. Other changes of the input were not tried.

### How to repeat it

Seed {plain["seed"]}; {versions}. SHA-256 of the samples: `{data["sha256"]}`.{command}
"""
