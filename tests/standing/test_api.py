"""The public interface is frozen: changing a name or a signature is a decision.

After a decision: ``python -m tests.standing.test_api`` rewrites ``api.txt``.
"""

from pathlib import Path

from .public import NUMERICAL_ROOMS, public_objects, signature_line

SNAPSHOT = Path(__file__).with_name("api.txt")


def _lines():
    return sorted(signature_line(n, o) for n, o in public_objects().items())


def test_interface_is_frozen():
    known = SNAPSHOT.read_text().splitlines()
    assert _lines() == known, "run `python -m tests.standing.test_api` if the change is meant"


def test_every_numerical_function_has_a_case():
    from tests.cases import all_cases

    from .exempt import WITHOUT_CASE

    covered = {name for case in all_cases() for name in case.covers}
    wanted = {n for n in public_objects() if n.rsplit(".", 1)[0] in NUMERICAL_ROOMS}
    assert sorted(covered - set(public_objects())) == [], "cases of names that are not public"
    assert sorted(wanted - covered - set(WITHOUT_CASE)) == []
    assert sorted(set(WITHOUT_CASE) - wanted) == [], "exempt names that no longer exist"
    assert sorted(set(WITHOUT_CASE) & covered) == [], "exempt names that have a case"


if __name__ == "__main__":
    SNAPSHOT.write_text("\n".join(_lines()) + "\n")
