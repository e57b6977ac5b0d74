"""Decision surface of a natural and a robust net around one sample."""

from ...plotting.surfaces._input_plane import compute_planes
from ._common import NotShown, plain, telling_rows, two_nets

__all__ = ["surface"]


def surface(results, data, nets):
    """Compute the decision function over one plane for two nets."""
    if data.kind == "plane":
        raise NotShown("samples have two features alone, and their whole plane is shown above")
    rows = telling_rows(results, data, nets, 1)
    if not len(rows):
        raise NotShown("no test sample is classified correctly by all nets")
    names = two_nets(results, nets)
    planes = compute_planes(
        {name: nets[name] for name in names},
        data.X_test,
        data.y_test,
        index=int(rows[0]),
        random_state=results["settings"]["seed"],
    )
    facts = {
        "row": int(rows[0]),
        "label": data.name_of(data.y_test[rows].tolist()[0]),
        "directions": list(planes[0]["directions"]),
        "norm": planes[0]["norm"],
        "nets": {},
    }
    for plane in planes:
        distances = zip(facts["directions"], plane["boundary_distances"], strict=True)
        facts["nets"][plane["name"]] = {f"distance, {d}": plain(far) for d, far in distances}
    arrays = {plane["name"]: plane["margin"] for plane in planes}
    return facts, {"xx0": planes[0]["xx0"], "xx1": planes[0]["xx1"], **arrays}
