"""Compare two reports of one input field by field.

The reports are compared as JSON, not as ``Report``: the archived one may have been written by another version
of this software. Fields without a rule below must be bit-identical.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import isclose
from typing import Any

from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.position import Origin
from mxtvhf.workflow.comparison.model import (
    Comparison,
    Difference,
    Outcome,
    PositionShift,
    SourceChange,
    Tolerances,
)
from mxtvhf.workflow.comparison.sources import source_changes

IGNORED = (
    "run_id", "is_replay", "written", "headline", "timeline", "products", "*.products", "*.outlines",
    "crosscheck.*.p_value", "crosscheck.*.log10_bayes_factor", "crosscheck.*.probability*",
)  # fmt: skip
"""Fields that are not compared: those of the run itself, those derived from other fields, and files."""
NOTED = (
    "schema_version", "version", "calibration", "*.calibration", "gp", "warnings", "best_reason",
    "*.reason", "*_reason", "*.doubts", "*.explanation", "*.recomputed", "catalogues", "associations",
    "identities", "localisation.chosen", "localisation.choice", "*.confused_with", "other_missions",
    "joint_position",
)  # fmt: skip
"""Fields that may differ: versions, GP (a partner's service), wording, catalogues (which may have grown,
and are also searched around GP's position), and notices of other missions (which may have arrived since).
The resulting verdict must not differ."""
FITTED = ("positions", "best_position", "crosscheck", "localisation", "analysis")
"""Fields whose floats come from a fit and have a tolerance."""
KEYS = {
    "positions": ("origin", "label"),
    "crosscheck": ("first", "second"),
    "claims": ("ivorn", "claim"),
    "related": ("ivorn",),
}
"""Key of the elements of a list; elements of other lists are identified by their index."""
SOURCES = "localisation.sources"
"""Lists whose elements are paired by sky position."""

Report = Mapping[str, Any]


def compare_reports(
    archived: Report,
    new: Report,
    *,
    products: Sequence[Difference] = (),
    tolerances: Tolerances | None = None,
) -> Comparison:
    """Compare two reports of one input.

    Parameters
    ----------
    archived, new
        Written reports (``report.json``) of the original run and its replay as JSON.
    products
        Differences between their files, see ``mxtvhf.workflow.comparison.products``.
    tolerances
        Tolerances for fitted numbers.

    Returns
    -------
    Comparison
        ``equal`` if no difference matters, else ``changed``.
    """
    limits = tolerances or Tolerances()
    fields = _Fields(limits, _gp_labels(archived) | _gp_labels(new))
    sources = _sources(archived, new, limits)
    found = [*fields.differences("", archived, new, matters=True), *products]
    found.sort(key=lambda difference: not difference.matters)
    before, after = archived.get("best_position"), new.get("best_position")
    return Comparison(
        burst_id=str(new.get("burst_id")),
        archived_run=str(archived.get("run_id")),
        new_run=str(new.get("run_id")),
        outcome=Outcome.CHANGED if any(one.matters for one in found) else Outcome.EQUAL,
        reason=reason_text(found),
        archived_version=archived.get("version"),
        new_version=new.get("version"),
        best=position_shift(before, after) if before and after else None,
        positions=tuple(_shifts(archived, new)),
        sources=sources,
        differences=tuple(found),
    )


def reason_text(differences: Sequence[Difference]) -> str:
    """Summarise differences in one line.

    Parameters
    ----------
    differences
        Differences in the order in which to name them; the first three of each kind are named.
    """
    words = {True: "differs", False: "noted"}
    parts = []
    for matters, word in words.items():
        names = [one.what for one in differences if one.matters == matters]
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            parts.append(f"{word}: {', '.join(names[:3])}{more}")
    return "; ".join(parts) or "the same"


def position_shift(archived: Report, new: Report) -> PositionShift:
    """Return the shift between two positions and their radii.

    Parameters
    ----------
    archived, new
        Positions of the two reports as JSON.
    """
    return PositionShift(
        position=f"{new['origin']} {new['label']}",
        separation_arcsec=_separation(archived, new),
        part_of_r90=_part_of_r90(archived, new),
        r90_archived_arcsec=archived["r90_arcsec"],
        r90_new_arcsec=new["r90_arcsec"],
    )


def _separation(archived: Report, new: Report) -> float:
    return separation_arcsec(archived["ra_deg"], archived["dec_deg"], new["ra_deg"], new["dec_deg"])


def _part_of_r90(archived: Report, new: Report) -> float | None:
    """Return the separation in units of the larger radius; None without a radius."""
    radius = max(_scale(archived), _scale(new))
    return _separation(archived, new) / radius if radius else None


def _scale(position: Report) -> float:
    """Return the statistical radius; a joint position has only one radius."""
    return float(position.get("r90_stat_arcsec") or position["r90_arcsec"] or 0.0)


def _shifts(archived: Report, new: Report) -> Iterator[PositionShift]:
    before, after = (_named(report.get("positions", ()), KEYS["positions"]) for report in (archived, new))
    for name in before.keys() & after.keys():
        yield position_shift(before[name], after[name])


def _listed(report: Report) -> list[Report]:
    """Return the sources listed in a report; older reports list none."""
    localisation = report.get("localisation")
    return (localisation.get("sources") or []) if isinstance(localisation, Mapping) else []


def _sources(archived: Report, new: Report, limits: Tolerances) -> tuple[SourceChange, ...]:
    before, after = _listed(archived), _listed(new)
    return tuple(source_changes(before, after, limits)) if before and after else ()


def _gp_labels(report: Report) -> set[str]:
    """Return the labels of GP's positions in the cross-check."""
    return {one["label"] for one in report.get("positions", ()) if one["origin"] == Origin.GP}


@dataclass(frozen=True)
class _Fields:
    """Compares fields by the rules above."""

    tolerances: Tolerances
    gp_labels: set[str]

    def differences(self, path: str, archived: Any, new: Any, *, matters: bool) -> Iterator[Difference]:
        """Yield the differences at a path and below it."""
        if archived == new or _matches(path, IGNORED):
            return
        matters = matters and not (_matches(path, NOTED) or self._is_of_gp(archived) or self._is_of_gp(new))
        if isinstance(archived, Mapping) and isinstance(new, Mapping):
            yield from self._mappings(path, archived, new, matters=matters)
        elif isinstance(archived, list) and isinstance(new, list):
            yield from self._lists(path, archived, new, matters=matters)
        elif not self._close(path, archived, new):
            yield Difference(what=path, archived=archived, new=new, matters=matters)

    def _mappings(self, path: str, archived: Report, new: Report, *, matters: bool) -> Iterator[Difference]:
        together = self._measured_together(archived, new)
        for name in dict.fromkeys([*archived, *new]):
            below = f"{path}.{name}".lstrip(".")
            old, now = archived.get(name), new.get(name)
            if name in together:
                if old != now and not together[name]:
                    yield Difference(what=below, archived=old, new=now, matters=matters)
            elif name in archived and name in new:
                yield from self.differences(below, old, now, matters=matters)
            elif not _matches(below, IGNORED):
                # The field does not exist in another version of this software.
                yield Difference(what=below, archived=old, new=now, matters=False)

    def _lists(
        self, path: str, archived: list[Any], new: list[Any], *, matters: bool
    ) -> Iterator[Difference]:
        if path == SOURCES:
            yield from self._of_sources(archived, new, matters=matters)
            return
        keys = KEYS.get(path, ())
        before, after = _named(archived, keys), _named(new, keys)
        for name in dict.fromkeys([*before, *after]):
            below = f"{path}.{name}"
            if name in before and name in after:
                yield from self.differences(below, before[name], after[name], matters=matters)
            else:
                old, now = before.get(name), after.get(name)
                other = self._is_of_gp(old) or self._is_of_gp(now)
                yield Difference(what=below, archived=old, new=now, matters=matters and not other)

    def _of_sources(
        self, archived: list[Report], new: list[Report], *, matters: bool
    ) -> Iterator[Difference]:
        """Compare sources paired by position, since their names may have changed."""
        if not archived or not new:
            # A report of an earlier version lists no sources; if there is no source at all, ``detected`` also
            # differs.
            yield Difference(what=SOURCES, archived=len(archived), new=len(new), matters=False)
            return
        before, after = ({one["name"]: one for one in sources} for sources in (archived, new))
        for change in source_changes(archived, new, self.tolerances):
            if change.archived is not None and change.new is not None:
                below = f"{SOURCES}.{change.archived}"
                yield from self.differences(
                    below, _unnamed(before[change.archived]), _unnamed(after[change.new]), matters=matters
                )
            else:
                what = f"source {change.archived or change.new} {change.outcome}"
                places = (_place_text(before.get(change.archived)), _place_text(after.get(change.new)))
                yield Difference(what=what, archived=places[0], new=places[1], matters=matters)

    def _measured_together(self, archived: Report, new: Report) -> dict[str, bool]:
        """Return if fields that belong to one measurement agree; None if they are compared one by one."""
        both, limits = archived.keys() & new.keys(), self.tolerances
        if {"ra_deg", "dec_deg", "r90_arcsec"} <= both:
            part = _part_of_r90(archived, new)
            return dict.fromkeys(("ra_deg", "dec_deg"), part is not None and part <= limits.position)
        if {"separation_arcsec", "combined_r90_arcsec"} <= both:
            scale = max(archived["combined_r90_arcsec"] or 0.0, new["combined_r90_arcsec"] or 0.0)
            moved = abs(archived["separation_arcsec"] - new["separation_arcsec"])
            return {"separation_arcsec": moved <= limits.position * scale}
        if {"value", "error_low", "error_high"} <= both:
            sigmas = (one[name] or 0.0 for one in (archived, new) for name in ("error_low", "error_high"))
            moved = abs(archived["value"] - new["value"])
            return {"value": moved <= limits.measurement * max(sigmas)}
        return {}

    def _close(self, path: str, archived: Any, new: Any) -> bool:
        numbers = isinstance(archived, float) and isinstance(new, float)
        fitted = path.split(".", 1)[0] in FITTED
        return numbers and fitted and isclose(archived, new, rel_tol=self.tolerances.relative)

    def _is_of_gp(self, value: Any) -> bool:
        """Return True for GP's position or a comparison with it."""
        if not isinstance(value, Mapping):
            return False
        return value.get("origin") == Origin.GP or not self.gp_labels.isdisjoint(
            (value.get("first"), value.get("second"))
        )


def _unnamed(source: Report) -> Report:
    """Return a source without the fields that depend on its number, such as its name."""
    return {key: value for key, value in source.items() if key != "name"}


def _place_text(source: Report | None) -> str:
    if source is None:
        return "none"
    position = source["position"]
    return f"RA {position['ra_deg']:.4f} Dec {position['dec_deg']:+.4f}, TS {source['ts']:.0f}"


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _named(elements: Sequence[Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return the elements of a list by key; equal keys are distinguished by index."""
    found: dict[str, Any] = {}
    for place, element in enumerate(elements):
        name = " ".join(str(element[key]) for key in keys if element.get(key)) if keys else f"{place}"
        found[f"{name} #{place}" if name in found else name] = element
    return found
