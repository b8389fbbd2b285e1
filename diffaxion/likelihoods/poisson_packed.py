"""The same likelihood of counts with pixels in short blocks, for bins of unequal size.

Energy bins with few counts have few pixels that matter once the empty ones are merged. In an array
of (bins, pixels) they would all be as long as the longest; blocks of 64 pixels, each of one bin,
are not.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .poisson import PoissonBlocks, TemplatePoisson

_WIDTH = 64


class PackedPoisson(eqx.Module):
    """Poisson likelihood with a free background scale per bin, pixels in blocks.

    Attributes
    ----------
    counts, signal_template, background_template : float array, shape (blocks, pixels)
        As in :class:`~.poisson.TemplatePoisson`; pixels where all are zero are masked.
    bin_of : int array, shape (blocks,)
        Energy bin of each block, in rising order.
    bins : int, static
        Number of bins.
    """

    counts: Float[Array, "blocks pixels"]
    signal_template: Float[Array, "blocks pixels"]
    background_template: Float[Array, "blocks pixels"]
    bin_of: Int[Array, " blocks"]
    bins: int = eqx.field(static=True)

    def expected(
        self, signal: Float[Array, " bins"], backgrounds: Float[Array, " bins"]
    ) -> Float[Array, "blocks pixels"]:
        """mu = S T + A B, for signals and backgrounds of shape (bins,)."""
        s, a = (jnp.asarray(x)[self.bin_of][:, None] for x in (signal, backgrounds))
        return s * self.signal_template + a * self.background_template

    def blocks(
        self, signal: Float[Array, " bins"], backgrounds: Float[Array, " bins"]
    ) -> PoissonBlocks:
        """ln L of each bin with its derivatives, as that of TemplatePoisson, shape (bins,)."""
        c, t, b = self.counts, self.signal_template, self.background_template
        mu = self.expected(signal, backgrounds)
        safe = jnp.where(mu > 0.0, mu, 1.0)
        w = c / safe
        curve = w / safe
        outside = jnp.any((mu < 0.0) | ((mu == 0.0) & (c > 0.0)), axis=-1)
        each = (
            c * jnp.log(safe) - mu,
            t * (w - 1.0),
            b * (w - 1.0),
            -curve * t * t,
            -curve * t * b,
            -curve * b * b,
        )
        sums = [jnp.sum(x, axis=-1) for x in each]
        value, *slopes = self._by_bin(jnp.stack([*sums, outside.astype(mu.dtype)]))
        held = slopes.pop() > 0.0
        return PoissonBlocks(jnp.where(held, -jnp.inf, value), *slopes)

    def values(
        self, signal: Float[Array, " bins"], backgrounds: Float[Array, " bins"]
    ) -> Float[Array, " bins"]:
        """ln L of each bin without -ln c!; -inf outside the domain."""
        return self.blocks(signal, backgrounds).value

    def null_backgrounds(self) -> Float[Array, " bins"]:
        """Best backgrounds without signal, A = sum c/sum B, shape (bins,)."""
        maps = jnp.stack([self.counts, self.background_template])
        counts, shape = self._by_bin(jnp.sum(maps, axis=-1))
        return counts / shape

    def with_data(self, counts: Float[Array, "blocks pixels"]) -> PackedPoisson:
        """The same templates with other counts."""
        return eqx.tree_at(lambda p: p.counts, self, counts)

    def padded(self, blocks: int) -> PackedPoisson:
        """The same likelihood with masked blocks at its end."""
        more = blocks - self.counts.shape[0]
        c, t, b = (jnp.pad(x, ((0, more), (0, 0))) for x in jax.tree.leaves(self)[:3])
        return PackedPoisson(c, t, b, jnp.pad(self.bin_of, (0, more), mode="edge"), self.bins)

    @property
    def size(self) -> int:
        """Number of blocks."""
        return self.counts.shape[0]

    def _by_bin(self, x: Float[Array, "n blocks"]) -> Float[Array, "n bins"]:
        sums = jax.ops.segment_sum(
            x.T, self.bin_of, num_segments=self.bins, indices_are_sorted=True
        )
        return sums.T


def pack_pixels(
    likelihood: TemplatePoisson, width: int = _WIDTH, multiple: int = 1
) -> PackedPoisson:
    """Put the pixels of a likelihood that are not masked in blocks.

    Parameters
    ----------
    likelihood : TemplatePoisson
        Counts and templates, concrete arrays, perhaps with pixels merged.
    width : int
        Pixels per block.
    multiple : int
        The number of blocks is rounded up to a multiple of this, so that data sets of similar
        size share compiled programs.

    Returns
    -------
    PackedPoisson
        The same likelihood.

    References
    ----------
    None: a layout.
    """
    maps = np.stack([np.asarray(x) for x in jax.tree.leaves(likelihood)])
    parts, bin_of = [], []
    for k in range(maps.shape[1]):
        used = maps[:, k, np.any(maps[:, k] != 0.0, axis=0)]
        count = max(-(-used.shape[1] // width), 1)
        wide = np.pad(used, ((0, 0), (0, count * width - used.shape[1])))
        parts.append(wide.reshape(3, count, width))
        bin_of += [k] * count
    c, t, b = (jnp.asarray(x) for x in np.concatenate(parts, axis=1))
    packed = PackedPoisson(c, t, b, jnp.asarray(bin_of), maps.shape[1])
    return packed.padded(-(-packed.size // multiple) * multiple)
