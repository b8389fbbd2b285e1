"""Regular magnetic fields by name, with the options for the inner kiloparsec."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...errors import ConfigurationError, unknown_name
from .base import MagneticField
from .inner import (
    R_INNER_KPC,
    R_STRONG_KPC,
    InnerRegion,
    NoField,
    PoloidalField,
    SumField,
    VerticalField,
)
from .jf12 import JF12
from .ptkn11 import PTKN11
from .solenoidal import JF12Solenoidal
from .uf23 import UF23
from .uf23 import VARIANTS as UF23_VARIANTS

# Likely vertical field in R < 0.4 kpc (bounds: above 50, below about 400 muG), Crocker et al.
# 2010, Nature 463, 65 (arXiv:1001.1275).
B_STRONG_MUG = 100.0

_ALIASES = {"ptkn11": "ptkn11-ass"}
_MODELS: dict[str, Callable[[], MagneticField]] = {
    "jf12": partial(JF12.published, "jf12"),
    "jf12b": partial(JF12.published, "jf12b"),
    "jf12c": partial(JF12.published, "jf12c"),
    "jf12-solenoidal": JF12Solenoidal.published,
    "ptkn11-ass": partial(PTKN11.published, "ass"),
    "ptkn11-bss": partial(PTKN11.published, "bss"),
    **{f"uf23-{variant}": partial(UF23.published, variant) for variant in UF23_VARIANTS},
}
# What "preset" means: the choice of the X-ray paper where it made one (it masks the inner kpc
# for PTKN11), and the model's own formulas for UF23, which is defined everywhere.
_PRESETS = {"jf12": "uniform", "ptkn11": "mask", "uf23": "continue"}


def _uniform(b_z: Array, r_sun_kpc: float) -> MagneticField:
    del r_sun_kpc
    return VerticalField(b_z)


def _mask(b_z: Array, r_sun_kpc: float) -> MagneticField:
    del b_z, r_sun_kpc
    return NoField()


def _strong(b_z: Array, r_sun_kpc: float) -> MagneticField:
    del r_sun_kpc
    strong = VerticalField(jnp.asarray(B_STRONG_MUG))
    return InnerRegion(VerticalField(b_z), strong, jnp.asarray(R_STRONG_KPC))


def _intercloud(b_z: Array, r_sun_kpc: float) -> MagneticField:
    return SumField((VerticalField(b_z), PoloidalField.intercloud(r_sun_kpc)))


def _radio_arc(b_z: Array, r_sun_kpc: float) -> MagneticField:
    return SumField((VerticalField(b_z), PoloidalField.radio_arc(r_sun_kpc)))


_INNER: dict[str, Callable[[Array, float], MagneticField]] = {
    "uniform": _uniform,
    "mask": _mask,
    "strong": _strong,
    "intercloud": _intercloud,
    "radio_arc": _radio_arc,
}


def field_names() -> list[str]:
    """Names that :func:`magnetic_field` accepts, aliases included.

    Returns
    -------
    list of str
        Sorted names; ``ptkn11`` stands for ``ptkn11-ass``.

    References
    ----------
    Those of :class:`~.jf12.JF12`, :class:`~.solenoidal.JF12Solenoidal`,
    :class:`~.ptkn11.PTKN11` and :class:`~.uf23.UF23`.
    """
    return sorted([*_MODELS, *_ALIASES])


def inner_options() -> list[str]:
    """Options that :func:`magnetic_field` accepts for the inner kiloparsec.

    Returns
    -------
    list of str
        Names of the options, explained in :func:`magnetic_field`.

    References
    ----------
    Those of :class:`~.inner.VerticalField` and :class:`~.inner.PoloidalField`.
    """
    return ["preset", "continue", *_INNER]


def fiducial_inner_b_z_muG(field: MagneticField | None = None) -> float:
    """B_z of the X field at R = 1 kpc in the plane [muG]: the field assumed further in.

    B_z = B_X exp(-1/r_X) sin(atan(r_Xc tan(Theta_X0)/1 kpc)), 3.20622 muG for JF12.

    Parameters
    ----------
    field : MagneticField, optional
        Model whose X field is meant; anything but a :class:`~.jf12.JF12` stands for the
        published JF12.

    Returns
    -------
    float
        B_z [muG].

    References
    ----------
    Dessert, Foster & Safdi 2020, PRL 125, 261102 (arXiv:2008.03305), "about 3 muG".
    """
    model = field if isinstance(field, JF12) else JF12.published()
    return float(model.inside_cone(jnp.asarray(R_INNER_KPC), jnp.asarray(0.0))[1])


def magnetic_field(
    name: str = "jf12",
    inner: str = "preset",
    inner_b_z_muG: float | None = None,
    r_sun_kpc: float = 8.3,
) -> MagneticField:
    """Regular Galactic magnetic field by name.

    Parameters
    ----------
    name : str
        One of :func:`field_names`.
    inner : str
        Field in R < 1 kpc. ``uniform``: vertical and constant; ``mask``: none; ``continue``:
        the formulas of the model; ``strong``: 100 muG vertical in R < 0.4 kpc on top of
        ``uniform`` around it; ``intercloud`` and ``radio_arc``: poloidal structures of the
        Galactic centre added to ``uniform``; ``preset``: ``uniform`` for JF12 and its variants,
        ``mask`` for PTKN11, ``continue`` for UF23.
    inner_b_z_muG : float, optional
        B_z of the uniform part [muG]; :func:`fiducial_inner_b_z_muG` of the model by default.
    r_sun_kpc : float
        Distance of the Sun from the Galactic centre, which places structures known by their
        direction [kpc].

    Returns
    -------
    MagneticField
        The model itself for ``continue``, otherwise an :class:`~.inner.InnerRegion` with the
        model as ``outer``.

    Raises
    ------
    ConfigurationError
        If the name or the option is unknown, or B_z is given for an option without it.

    References
    ----------
    Dessert, Foster & Safdi 2020, PRL 125, 261102 (arXiv:2008.03305), and those of the model.
    """
    known = _ALIASES.get(name, name)
    if known not in _MODELS:
        raise unknown_name("magnetic field", name, field_names())
    if inner not in inner_options():
        raise unknown_name("option for the inner kiloparsec", inner, inner_options())
    if inner == "preset":
        inner = next(o for family, o in _PRESETS.items() if known.startswith(family))
    if inner_b_z_muG is not None and inner in ("mask", "continue"):
        raise ConfigurationError(
            f"inner_b_z_muG = {inner_b_z_muG!r} has no meaning with inner={inner!r} of magnetic "
            f"field {name!r}: choose inner='uniform' or leave it out."
        )
    model = _MODELS[known]()
    if inner == "continue":
        return model
    b_z = fiducial_inner_b_z_muG(model) if inner_b_z_muG is None else inner_b_z_muG
    return InnerRegion(model, _INNER[inner](jnp.asarray(b_z, float), r_sun_kpc))


def with_smooth_edges(field: MagneticField, width_kpc: Float[Array, ""]) -> MagneticField:
    """A field whose jumps along a sight line are logistic steps of one width.

    For masses above about 1e-10 eV a sharp jump dB contributes p of order
    (g dB/2)^2/Delta^2 and dominates the regular field; results there mean something only where
    they do not depend on this width. Smoothing costs div B = 0 within the edges.

    Parameters
    ----------
    field : MagneticField
        Any model, composed or not.
    width_kpc : float array, shape ()
        Logistic width [kpc], at least 0.05 kpc to be of physical interest. Spiral arms get the
        same width at r = 8 kpc.

    Returns
    -------
    MagneticField
        The smoothed field, without crossings.

    References
    ----------
    Kleimann et al. 2019, ApJ 877, 76 (arXiv:1809.07528), on the discontinuities of JF12.
    """
    return field.smoothed(width_kpc)
